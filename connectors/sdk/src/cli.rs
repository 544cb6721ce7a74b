//! The command line of a connector.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::target::Connector;

/// Where the packaged daemon listens.
const DEFAULT_SOCKET: &str = "/run/orderd/orderd.sock";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) action: Action,
    pub(crate) sink: Option<String>,
    pub(crate) socket: PathBuf,
    pub(crate) config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Attach and deliver.
    Run,
    /// Read the configuration; `connect`: ask the target as well.
    Check { connect: bool },
    /// A command of this kind of connector.
    Own(String),
}

/// The program's name.
pub(crate) fn program<C: Connector>() -> String {
    format!("orderd-sink-{}", C::TYPE)
}

/// Reads the command line.
pub(crate) fn parse<C: Connector>(
    version: &'static str,
    args: impl IntoIterator<Item = OsString>,
) -> Result<Invocation, clap::Error> {
    let matches = command::<C>(version).try_get_matches_from(args)?;
    let action = match matches.subcommand() {
        None => Action::Run,
        Some(("check", check)) => Action::Check { connect: check.get_flag("connect") },
        Some((own, _)) => Action::Own(own.to_owned()),
    };
    let deepest = matches.subcommand().map_or(&matches, |(_, matches)| matches);
    Ok(Invocation {
        action,
        sink: deepest.get_one::<String>("sink").cloned(),
        socket: socket(deepest),
        config: deepest.get_one::<PathBuf>("config").cloned(),
    })
}

fn socket(matches: &ArgMatches) -> PathBuf {
    let given = matches.get_one::<PathBuf>("socket").cloned();
    let from_env = || std::env::var_os("ORDERD_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from);
    given.or_else(from_env).unwrap_or_else(|| DEFAULT_SOCKET.into())
}

fn command<C: Connector>(version: &'static str) -> Command {
    let option = |name: &'static str, value: &'static str, help: String| {
        Arg::new(name).long(name).value_name(value).global(true).help(help)
    };
    let check = Command::new("check")
        .about("Read the configuration and print it with the defaults filled in")
        .arg(Arg::new("connect").long("connect").action(ArgAction::SetTrue).help("Ask the target as well"));
    let own = C::COMMANDS.iter().map(|(name, about)| Command::new(*name).about(*about));
    let socket = format!("The daemon's socket [default: $ORDERD_SOCKET, else {DEFAULT_SOCKET}]");
    Command::new(program::<C>())
        .version(version)
        .about("Delivers the events of one sink of orderd")
        .arg(option("sink", "NAME", "The sink to attach to".to_owned()))
        .arg(option("socket", "PATH", socket).value_parser(value_parser!(PathBuf)))
        .arg(option("config", "FILE", "The configuration, TOML".to_owned()).value_parser(value_parser!(PathBuf)))
        .subcommand(check)
        .subcommands(own)
}
