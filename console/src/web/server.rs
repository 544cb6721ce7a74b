//! Accepts connections and serves HTTP/1 on them, with a header time-out and a limit on their number.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper::{Request, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use super::app::App;
use super::connections::Busy;
use super::counters::Counters;
use super::router::router;
use crate::listen::Listener;

/// Out of file descriptors, say: try again after this.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How long requests that are being answered may go on after a stop, and how often that is looked at.
const FINISH_MAX: Duration = Duration::from_secs(2);
const FINISH_POLL: Duration = Duration::from_millis(10);

/// The HTTP server.
pub struct Server {
    app: Arc<App>,
    router: TowerToHyperService<axum::Router>,
    http: http1::Builder,
    accepted: u64,
}

impl Server {
    /// Nothing is accepted yet.
    #[must_use]
    pub fn new(app: &Arc<App>) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(app.flags.header_timeout())
            .max_buf_size(app.flags.header_bytes_max);
        let router = TowerToHyperService::new(router(app));
        Self { app: Arc::clone(app), router, http, accepted: 0 }
    }

    /// Accepts connections for ever.
    pub async fn accept(&mut self, listener: &Listener) {
        loop {
            let accepted = match listener {
                Listener::Tcp(tcp, _) => tcp.accept().await.map(|(stream, _)| self.admit(stream)),
                Listener::Unix(unix, _) => unix.accept().await.map(|(stream, _)| self.admit(stream)),
            };
            if let Err(error) = accepted {
                self.accept_failed(&error).await;
            }
        }
    }

    /// Waits a moment for the requests that are being answered.
    pub async fn finish(&self) {
        let answered = async {
            while self.app.open.any_busy() {
                tokio::time::sleep(FINISH_POLL).await;
            }
        };
        if tokio::time::timeout(FINISH_MAX, answered).await.is_err() {
            tracing::warn!("stopped with requests unanswered");
        }
    }

    async fn accept_failed(&self, error: &io::Error) {
        // The client gave up before it was its turn.
        if error.kind() != io::ErrorKind::ConnectionAborted {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_RETRY).await;
        }
    }

    fn admit<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&mut self, stream: S) {
        let counters = &self.app.counters;
        if self.app.open.count() >= self.app.flags.connections_max {
            if !self.app.open.evict() {
                Counters::add(&counters.refused);
                return;
            }
            Counters::add(&counters.evicted);
        }
        self.accepted += 1;
        let number = self.accepted;
        let busy = Busy::default();
        let (router, flag) = (self.router.clone(), busy.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            flag.set(true);
            let (response, flag) = (router.call(request), flag.clone());
            async move {
                let response = response.await;
                flag.set(false);
                response
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), answer);
        let app = Arc::clone(&self.app);
        let task = tokio::spawn(async move {
            // A connection that breaks is its client's matter.
            connection.await.ok();
            app.open.remove(number);
        });
        self.app.open.add(number, busy, task.abort_handle());
    }
}
