//! `orderd-console`: metrics, health and a page in the browser, for a daemon that it knows through its socket alone.

mod clock;
mod daemon;
mod exit;
mod find_socket;
mod flags;
mod listen;
mod run;
mod service;
mod telemetry;
mod token;
mod web;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use exit::Exit;
use flags::Flags;

fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            // There is nowhere left to say that standard error cannot be written.
            error.print().ok();
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked_for { Exit::Done } else { Exit::Usage }.into();
        }
    };
    tracing_subscriber::fmt().with_ansi(false).with_target(false).with_writer(std::io::stderr).init();
    match run::run(flags) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            tracing::error!("{}", failure.message);
            failure.exit.into()
        }
    }
}
