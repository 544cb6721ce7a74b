//! `orderd bench`: load for a running daemon.

mod connection;
mod dialect;
mod load;
mod orders;
mod pace;
mod report;

pub use connection::Mix;
pub use dialect::{Answers, Dialect, JsonRpc, Verb, Verdict, push_number};
pub use load::{End, Load, LoadError, Progress, drive};
pub use orders::{MadeUpOrder, OrderNames};
pub use report::{Latency, Report};

use super::exit::{Exit, Failure};
use super::output;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::time::Duration;

/// Puts load on a running daemon and reports throughput and latency.
///
/// One command is one answered change of an order. The orders are made up and stay in the daemon's store: use a daemon
/// of its own for this.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example, after `orderd serve` was started in another terminal:\n  \
    orderd bench --connections 16 --in-flight 64 --seconds 10\n\n\
    At a fixed rate, so that latency is that of a daemon with room to spare:\n  \
    orderd bench --connections 16 --rate 20000 --seconds 30 --json")]
pub struct BenchArgs {
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,

    /// Commands a connection sends before it waits for an answer
    #[arg(long, value_name = "M", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    in_flight: u32,

    /// How long to measure
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = positive)]
    seconds: f64,

    /// Run before measuring, so that caches and files are warm
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = not_negative)]
    warmup_seconds: f64,

    /// Stop after this many commands instead, and measure all of them
    #[arg(long, value_name = "N", conflicts_with_all = ["seconds", "warmup_seconds"])]
    commands: Option<u64>,

    /// What the commands are
    #[arg(long, value_enum, default_value_t = Mix::PlaceComplete)]
    mix: Mix,

    /// Send this many commands a second over all connections; latency counts from when a command was due
    #[arg(long, value_name = "R", value_parser = positive)]
    rate: Option<f64>,

    /// Give every command a `command_id`
    #[arg(long)]
    command_ids: bool,

    /// Print the figures as one line of JSON
    #[arg(long)]
    json: bool,

    /// The answers are all the same line, with id 0: for a server that stands in for the daemon
    #[arg(long, hide = true)]
    answers_alike: bool,
}

/// Runs the load and prints what it found.
///
/// # Errors
/// The daemon cannot be reached, goes away or answers wrongly. Refused commands are figures, not errors.
pub fn run(args: &BenchArgs, socket: &Path) -> Result<(), Failure> {
    let load = Load {
        connections: usize::from(args.connections),
        in_flight: usize::try_from(args.in_flight).unwrap_or(usize::MAX),
        mix: args.mix,
        rate: args.rate,
        warmup: match args.commands {
            Some(_) => Duration::ZERO,
            None => Duration::from_secs_f64(args.warmup_seconds),
        },
        end: match args.commands {
            Some(count) => End::Commands(count),
            None => End::After(Duration::from_secs_f64(args.seconds)),
        },
        names: OrderNames::fresh(),
    };
    let answers = if args.answers_alike { Answers::AllAlike } else { Answers::InOrder };
    let mut dialect = JsonRpc::new(args.command_ids.then(OrderNames::fresh), answers);

    let bar = progress_bar(&load);
    let report = drive(&load, socket, &mut dialect, &mut |progress| show(&bar, &load, progress))?;
    bar.finish_and_clear();
    print(&report, args.json)
}

/// Hidden by itself where standard error is no terminal.
fn progress_bar(load: &Load) -> ProgressBar {
    let length = match load.end {
        End::After(time) => u64::try_from(load.warmup.saturating_add(time).as_millis()).unwrap_or(u64::MAX),
        End::Commands(count) => count,
    };
    let style = ProgressStyle::with_template("{bar:30} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

fn show(bar: &ProgressBar, load: &Load, progress: Progress) {
    bar.set_position(match load.end {
        End::After(_) => u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
        End::Commands(_) => progress.answered,
    });
    let seconds = progress.elapsed.as_secs();
    let by_second = progress.answered.checked_div(seconds).unwrap_or(progress.answered);
    bar.set_message(format!("{seconds} s, {} commands, {by_second}/s", progress.answered));
}

fn print(report: &Report, json: bool) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string(report)
            .map_err(|error| Failure::new(Exit::Internal, format!("cannot write the figures: {error}")))?
    } else {
        report.to_string()
    };
    output::print(&text)
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text)?;
    text.parse().ok().filter(|number| *number > 0.0).ok_or_else(|| "must be more than 0".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    (0.0..=1e9).contains(&number).then_some(number).ok_or_else(|| "must be between 0 and 1000000000".to_owned())
}

#[cfg(test)]
mod tests;
