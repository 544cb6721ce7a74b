//! The command line: one file or folder a subcommand.

mod backup;
mod bench;
mod cancel;
mod client;
mod client_args;
mod command_args;
mod complete;
mod completions;
mod config;
mod config_args;
mod copy_pace;
mod copy_paths;
mod data_dir_args;
mod decision_args;
mod dump;
mod exit;
mod get;
mod lane;
mod man;
mod metrics;
mod migrate;
mod order_view;
mod output;
mod params;
mod place;
mod replay;
mod restore;
mod schema;
mod send;
mod send_window;
mod serve;
mod sink;
mod sink_view;
mod status;
mod table;
mod terminal;
mod trace;
mod units;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

pub use client::{Client, ClientError, Effect, ErrorData, ErrorObject};
pub use exit::{Exit, Failure};

/// A daemon that keeps orders and announces what happened to them
///
/// Clients place, complete and cancel orders over a Unix socket. Every change is durable before it is answered, and
/// its events reach every sink at least once.
#[derive(Debug, clap::Parser)]
#[command(
    name = "orderd",
    version,
    max_term_width = 80,
    after_help = "\
The configuration is the file given with --config, else $ORDERD_CONFIG, else
./config.toml, else /etc/orderd/config.toml, else a built-in default that keeps
everything in ./data.

Exit codes: 0 done, 1 the daemon refused, 64 usage, 65 damaged store,
69 no daemon answers, 70 internal error, 73 data directory in use, 74 I/O error,
75 refused and may be tried again, 77 no permission, 78 bad configuration."
)]
pub struct Cli {
    /// The configuration, for the commands that look at one
    #[arg(long, value_name = "FILE")]
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
    Trace(trace::TraceArgs),
    Send(send::SendArgs),
    Status(status::StatusArgs),
    Metrics(metrics::MetricsArgs),
    Sink(sink::SinkArgs),
    Lane(lane::LaneArgs),
    Replay(replay::ReplayArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Verify(verify::VerifyArgs),
    Dump(dump::DumpArgs),
    Config(config::ConfigArgs),
    Schema(schema::SchemaArgs),
    Migrate(migrate::MigrateArgs),
    Bench(bench::BenchArgs),
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
        Err(failure) => end(&failure),
    }
}

/// Says what went wrong; a program that asked for JSON finds the daemon's error object on standard output.
fn end(failure: &Failure) -> ExitCode {
    terminal::complain(&failure.message);
    if let Some(object) = &failure.json {
        // That it cannot be printed changes nothing: the command has failed already.
        output::print(object).ok();
    }
    failure.exit.into()
}

/// Help and version go to standard output and are no errors; what is wrong with the command line goes to standard
/// error, and may repeat what somebody else wrote.
fn say(message: &clap::Error) -> ExitCode {
    if message.use_stderr() {
        terminal::complain_as_is(&message.render().to_string());
        return Exit::Usage.into();
    }
    // Nobody is left to be told that the help cannot be printed.
    message.print().ok();
    Exit::Done.into()
}

fn dispatch(command: &Command, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args, config),
        Command::Place(args) => place::run(args, config),
        Command::Complete(args) => complete::run(args, config),
        Command::Cancel(args) => cancel::run(args, config),
        Command::Get(args) => get::run(args, config),
        Command::Trace(args) => trace::run(args, config),
        Command::Send(args) => send::run(args, config),
        Command::Status(args) => status::run(args, config),
        Command::Metrics(args) => metrics::run(args, config),
        Command::Sink(args) => sink::run(args, config),
        Command::Lane(args) => lane::run(args, config),
        Command::Replay(args) => replay::run(args, config),
        Command::Backup(args) => backup::run(args, config),
        Command::Restore(args) => restore::run(args, config),
        Command::Verify(args) => verify::run(args, config),
        Command::Dump(args) => dump::run(args, config),
        Command::Config(args) => config::run(args, config),
        Command::Schema(args) => schema::run(args, config),
        Command::Migrate(args) => migrate::run(args, config),
        Command::Bench(args) => bench::run(args, config),
        Command::Completions(args) => completions::run(args, Cli::command()),
        Command::Man(args) => man::run(args, Cli::command()),
    }
}
