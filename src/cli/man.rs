//! `orderd man`

use std::path::PathBuf;

use clap::CommandFactory as _;

use super::exit::Failure;
use super::output::print;

/// Print the manual page, or write all of them into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderd man | man -l -\n  orderd man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Where to write orderd.1, orderd-serve.1 and the others; made if it is not there
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs) -> Result<(), Failure> {
    let command = super::Cli::command();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| Failure::io("cannot make the manual page", &error))?;
        return print(String::from_utf8_lossy(&page).trim_end());
    };
    let failed = |error| Failure::io(format!("cannot write the manual pages to {}", dir.display()), &error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)
}
