//! Wires the console: the socket's client, the sampler, the server; one thread for all of them.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use crate::daemon::Daemon;
use crate::exit::{Exit, Failure};
use crate::find_socket::find_socket;
use crate::flags::Flags;
use crate::listen::{Listen, Listener};
use crate::service::tell;
use crate::telemetry::{self, History, Sampler};
use crate::token::Token;
use crate::web::{App, Hosts, Server};

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// The flags are unsafe, a file cannot be read, or the address cannot be listened on.
pub fn run(flags: Flags) -> Result<(), Failure> {
    flags.check()?;
    let token = flags.token_file.as_deref().map(Token::read).transpose()?;
    let socket = flags.socket.clone().map_or_else(find_socket, Ok)?;
    let daemon = Daemon::new(socket, flags.daemon_timeout(), flags.daemon_bytes_max, flags.daemon_connections_max);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start the runtime", &error))?;
    runtime.block_on(serve(flags, daemon, token))
}

async fn serve(flags: Flags, daemon: Daemon, token: Option<Token>) -> Result<(), Failure> {
    let listener = Listener::bind(&flags.listen)
        .await
        .map_err(|error| Failure::io(format_args!("cannot listen on {}", flags.listen), &error))?;
    let address = listener.address();
    let hosts = Hosts::new(&address, &flags.host_allowed);
    let sampler = Sampler::new(History::new(flags.history_samples_max, flags.history_sinks_max));
    let app = Arc::new(App::new(flags, daemon, sampler, token, hosts));
    let mut server = Server::new(&app);

    let mut terminate = stop_signal(SignalKind::terminate())?;
    let mut interrupt = stop_signal(SignalKind::interrupt())?;
    announce(&address, &app);
    tokio::select! {
        () = telemetry::run(&app.daemon, &app.sampler, || app.sampler_alive()) => {}
        () = server.accept(&listener) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell(&[NotifyState::Stopping]);
    drop(listener);
    server.finish().await;
    tracing::info!("stopped");
    Ok(())
}

fn stop_signal(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(Exit::Io, format!("cannot wait for signals: {error}")))
}

fn announce(address: &Listen, app: &App) {
    match address {
        Listen::Tcp(address) => tracing::info!("listening on http://{address}/, daemon at {}", app.daemon.socket()),
        Listen::Unix(_) => tracing::info!("listening on {address}, daemon at {}", app.daemon.socket()),
    }
    tell(&[NotifyState::Ready]);
}
