//! `orderd completions`

use clap_complete::Shell;

use super::exit::Failure;
use super::output::Output;

/// Print a shell's completions
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orderd completions bash > ~/.local/share/bash-completion/completions/orderd")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "orderd", &mut script);
    let mut output = Output::stdout();
    match std::io::Write::write_all(&mut output, &script) {
        Err(error) if !output.reader_gone() => Err(Failure::io("cannot write to standard output", &error)),
        Ok(()) | Err(_) => output.finish(),
    }
}
