//! The program around a connector.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cli::{self, Action, Invocation};
use crate::config::{self, Loaded};
use crate::exit::{self, Exit, Failure};
use crate::link::LinkOptions;
use crate::outcome::Unavailable;
use crate::runner::Runner;
use crate::target::{Connector, Target as _};
use crate::{logging, signals, target_thread};

/// How long the daemon may take to answer the attach, or to take a line of ours: far above what a daemon that is alive
/// needs, and a dead one closes the connection.
const DAEMON_WAIT_MAX: Duration = Duration::from_secs(10);

/// The whole program of a connector of kind `C`: reads the command line, runs, and says how it ended. `version` is the
/// connector's own.
pub fn main<C: Connector>(version: &'static str) -> ExitCode
where
    C::Target: 'static,
{
    exit::exit_on_panic();
    let invocation = match cli::parse::<C>(version, std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed standard output has no reader to disappoint.
            error.print().ok();
            return exit.into();
        }
    };
    match act::<C>(&invocation, version) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            let program = cli::program::<C>();
            writeln!(std::io::stderr(), "{program}: {}", crate::text::escape(&failure.message)).ok();
            failure.exit.into()
        }
    }
}

fn act<C: Connector>(invocation: &Invocation, version: &str) -> Result<(), Failure>
where
    C::Target: 'static,
{
    match &invocation.action {
        Action::Run => run::<C>(invocation, version),
        Action::Check { connect } => check::<C>(invocation, *connect),
        Action::Own(name) => {
            let config = match &invocation.config {
                Some(_) => Some(load::<C>(invocation)?.own),
                None => None,
            };
            print(&C::run_command(name, config)?)
        }
    }
}

fn run<C: Connector>(invocation: &Invocation, version: &str) -> Result<(), Failure>
where
    C::Target: 'static,
{
    if invocation.sink.is_none() {
        return Err(Failure::new(Exit::Usage, "--sink NAME is missing: the sink to attach to"));
    }
    // First of all: a stop that comes early is a stop like any other.
    let signals = signals::listen().map_err(|error| Failure::io("cannot listen to signals", &error))?;
    let Loaded { common, own, .. } = load::<C>(invocation)?;
    logging::start(common.log_level, common.log_format);
    let target = C::open(own, &common)?;
    let options = LinkOptions {
        socket: invocation.socket.clone(),
        sink: common.sink.clone(),
        program: format!("{} {version}", cli::program::<C>()),
        in_flight_max: common.in_flight_max,
        line_bytes_max: common.limits.line_bytes_max,
        wait_max: DAEMON_WAIT_MAX,
    };
    let target = target_thread::start(target).map_err(|error| Failure::io("cannot start a thread", &error))?;
    Runner::new(common, options, target, signals, Instant::now()).run()
}

fn check<C: Connector>(invocation: &Invocation, connect: bool) -> Result<(), Failure> {
    let Loaded { common, own, rendered } = load::<C>(invocation)?;
    let mut target = C::open(own, &common)?;
    if !connect {
        return print(&rendered);
    }
    logging::start(common.log_level, common.log_format);
    match target.check() {
        Ok(found) => print(&format!("{}\n", crate::text::escape(&found))),
        Err(Unavailable { reason, blocked, .. }) => {
            let exit = if blocked { Exit::Config } else { Exit::Unavailable };
            Err(Failure::new(exit, reason))
        }
    }
}

fn load<C: Connector>(invocation: &Invocation) -> Result<Loaded<C::Config>, Failure> {
    let Some(path) = &invocation.config else {
        return Err(Failure::new(Exit::Usage, "--config FILE is missing: the connector's configuration"));
    };
    let sink = invocation.sink.as_deref().unwrap_or(C::TYPE);
    Ok(config::load(path, sink, C::DEFAULTS)?)
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Failure::io("cannot write to standard output", &error))
}
