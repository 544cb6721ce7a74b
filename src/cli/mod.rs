//! The command line: one file a subcommand.

pub mod bench;
mod cancel;
mod client;
mod client_args;
mod complete;
mod completions;
mod config;
mod data_dir_args;
mod dump;
mod exit;
mod get;
mod man;
mod order_view;
mod output;
mod place;
mod send;
mod send_window;
mod serve;
mod status;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;

pub use client::{Client, ClientError, ErrorData, ErrorObject};
pub use exit::{Exit, Failure};

/// A daemon that keeps orders and announces what happened to them
///
/// Clients place, complete and cancel orders over a Unix socket. Every change is durable before it is answered, and
/// its events reach every sink at least once.
#[derive(Debug, clap::Parser)]
#[command(
    name = "orderd",
    version,
    after_help = "\
The configuration is the file given with --config, else $ORDERD_CONFIG, else ./config.toml, else
/etc/orderd/config.toml, else a built-in default that keeps everything in ./data.

Exit codes: 0 done, 1 the daemon refused, 64 usage, 65 damaged store, 69 no daemon, 70 internal error,
73 data directory in use, 74 I/O error, 77 no permission, 78 bad configuration."
)]
pub struct Cli {
    /// The configuration; else $ORDERD_CONFIG, else ./config.toml, else /etc/orderd/config.toml
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Place(place::PlaceArgs),
    Complete(complete::CompleteArgs),
    Cancel(cancel::CancelArgs),
    Get(get::GetArgs),
    Send(send::SendArgs),
    Status(status::StatusArgs),
    Verify(verify::VerifyArgs),
    Dump(dump::DumpArgs),
    Config(config::ConfigArgs),
    /// Put load on a running daemon and report throughput and latency
    Bench {
        #[command(flatten)]
        socket: client_args::SocketArgs,
        #[command(flatten)]
        bench: bench::BenchArgs,
    },
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs the command line `args` and says how the process ends.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    exit::exit_on_panic();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(message) => return say(&message),
    };
    match dispatch(&cli.command, cli.config.as_deref()) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            for line in failure.message.lines() {
                eprintln!("orderd: {line}");
            }
            failure.exit.into()
        }
    }
}

/// Help and version go to standard output and are no errors; what is wrong with the command line goes to standard error.
fn say(message: &clap::Error) -> ExitCode {
    let exit = if message.use_stderr() { Exit::Usage } else { Exit::Done };
    // Nobody is left to be told that the help cannot be printed.
    message.print().ok();
    exit.into()
}

fn dispatch(command: &Command, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args, config),
        Command::Place(args) => place::run(args, config),
        Command::Complete(args) => complete::run(args, config),
        Command::Cancel(args) => cancel::run(args, config),
        Command::Get(args) => get::run(args, config),
        Command::Send(args) => send::run(args, config),
        Command::Status(args) => status::run(args, config),
        Command::Verify(args) => verify::run(args, config),
        Command::Dump(args) => dump::run(args, config),
        Command::Config(args) => config::run(args, config),
        Command::Bench { socket, bench } => bench::run(bench, &socket.find(config)?),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

impl From<bench::LoadError> for Failure {
    fn from(error: bench::LoadError) -> Self {
        let exit = match &error {
            bench::LoadError::Connect { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::Permission
            }
            bench::LoadError::Connect { .. } | bench::LoadError::Closed | bench::LoadError::Silent { .. } => {
                Exit::NoDaemon
            }
            bench::LoadError::Socket { .. } => Exit::Io,
            bench::LoadError::Wrong(_) | bench::LoadError::Histogram(_) => Exit::Internal,
        };
        Self::new(exit, error.to_string())
    }
}
