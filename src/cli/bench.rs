//! `orderd bench`: load for a running daemon.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use indicatif::{ProgressBar, ProgressStyle};
use orderd_load::{
    Answers, End, JsonRpc, Load, LoadError, Mix, OrderNames, OwnOrders, Progress, Report, drive, find_own_orders,
};
use serde::Deserialize;

use super::client::{Client, ClientError};
use super::client_args::SocketArgs;
use super::exit::{Exit, Failure};
use super::order_view::read;
use super::output;
use super::params::{Param, Params};
use super::terminal::{one_line, warn};
use super::units::count;

/// Put load on a running daemon and report throughput and latency
///
/// One command is one answered change of an order. The orders are made up and stay in the daemon's store, and their events
/// go to its sinks: use a daemon of its own for this. A store that holds other orders is refused.
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
    #[arg(long, default_value = "place-complete", value_parser = PossibleValuesParser::new(Mix::NAMES)
        .try_map(|name| name.parse::<Mix>()))]
    mix: Mix,

    /// Send this many commands a second over all connections; latency counts from when a command was due
    #[arg(long, value_name = "R", value_parser = positive)]
    rate: Option<f64>,

    /// Give every command a `command_id`
    #[arg(long)]
    command_ids: bool,

    /// Make up orders also in a store that holds orders which bench did not make
    #[arg(long)]
    into_existing_orders: bool,

    #[command(flatten)]
    socket: SocketArgs,

    /// Print the figures as one line of JSON
    #[arg(long)]
    json: bool,

    /// The answers are all the same line, with id 0: for a server that stands in for the daemon
    #[arg(long, hide = true)]
    answers_alike: bool,
}

/// Runs the load and prints what it found.
pub(super) fn run(args: &BenchArgs, config: Option<&Path>) -> Result<(), Failure> {
    let socket = args.socket.find(config)?;
    // A stand-in for the daemon knows nothing but commands.
    let names = if args.answers_alike { OrderNames::fresh() } else { names(args, config)? };
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
        names,
    };
    let answers = if args.answers_alike { Answers::AllAlike } else { Answers::InOrder };
    let mut dialect = JsonRpc::new(args.command_ids.then(OrderNames::fresh), answers);

    let bar = progress_bar(&load);
    let report = drive(&load, &socket, &mut dialect, &mut |progress| show(&bar, &load, progress))?;
    bar.finish_and_clear();
    print(&report, args.json)?;
    judge(&report)
}

/// How long the daemon may take to say what it holds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Status {
    orders: Orders,
    sinks: Vec<Sink>,
}

#[derive(Deserialize)]
struct Orders {
    count: u64,
}

#[derive(Deserialize)]
struct Sink {
    name: String,
}

#[derive(Deserialize)]
struct Found {
    order: Amount,
}

#[derive(Deserialize)]
struct Amount {
    total_amount: u64,
}

/// Names for the orders of this run, if it may make some here.
fn names(args: &BenchArgs, config: Option<&Path>) -> Result<OrderNames, Failure> {
    let mut client = args.socket.connect(config, ANSWER_TIMEOUT)?;
    let status: Status = read(&client.call("daemon.status", &Params::default())?)?;
    if !args.json && std::io::stderr().is_terminal() {
        let sinks: Vec<_> = status.sinks.iter().map(|sink| sink.name.as_str()).collect();
        let sinks = if sinks.is_empty() { "no sink".to_owned() } else { sinks.join(", ") };
        warn(&format!("the orders stay in the daemon's store for good, and their events go to {sinks}"));
    }
    if args.into_existing_orders {
        return Ok(OrderNames::fresh());
    }
    let OwnOrders { runs, orders } = find_own_orders(|order_id| amount_of(&mut client, order_id))?;
    let others = status.orders.count.saturating_sub(orders);
    if others == 0 {
        return Ok(OrderNames::of_new_run(runs));
    }
    let message = format!(
        "the daemon's store holds {} that bench did not make (or that a bench made which was killed), and what bench makes \
         stays there for good; run it against a daemon of its own, or give --into-existing-orders",
        count(others, "order")
    );
    Err(Failure::new(Exit::Refused, message))
}

fn amount_of(client: &mut Client, order_id: &str) -> Result<Option<u64>, Failure> {
    let params = Params::default().with("order_id", Param::Text(order_id.to_owned()));
    match client.call("order.get", &params) {
        Ok(result) => Ok(Some(read::<Found>(&result)?.order.total_amount)),
        Err(ClientError::Refused(error)) if error.is_kind("order_not_found") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A run of which nothing was carried out is none.
fn judge(report: &Report) -> Result<(), Failure> {
    if report.commands > 0 || report.refused.is_empty() {
        return Ok(());
    }
    let only = |kind: &str| report.refused.keys().all(|refused| refused == kind);
    let exit = if only("permission_denied") { Exit::Permission } else { Exit::Refused };
    Err(Failure::new(exit, "every command was refused"))
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let exit = match &error {
            LoadError::Connect { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::Permission
            }
            LoadError::TurnedAway(refusal) if refusal.kind == "permission_denied" => Exit::Permission,
            LoadError::Connect { .. } | LoadError::TurnedAway(_) | LoadError::Closed | LoadError::Silent { .. } => {
                Exit::NoDaemon
            }
            LoadError::Socket { .. } => Exit::Io,
            LoadError::Wrong(_) | LoadError::Histogram(_) => Exit::Internal,
        };
        Self::new(exit, one_line(&error.to_string()))
    }
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
