//! `/livez` and `/readyz`, as text.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::app::App;
use crate::telemetry::Snapshot;

/// `?verbose` lists each check.
#[derive(Debug, Default, Deserialize)]
pub struct Verbosity {
    verbose: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    /// Somebody should look; traffic may come.
    Degraded,
    Failed,
}

#[derive(Debug)]
struct Check {
    name: String,
    outcome: Outcome,
    detail: String,
}

impl Check {
    fn line(&self) -> String {
        let (mark, word) = match self.outcome {
            Outcome::Ok => ("+", "ok"),
            Outcome::Degraded => ("!", "degraded"),
            Outcome::Failed => ("-", "failed"),
        };
        let detail = if self.detail.is_empty() { String::new() } else { format!(": {}", one_line(&self.detail)) };
        format!("[{mark}]{} {word}{detail}", one_line(&self.name))
    }
}

/// Whether the console itself makes turns. The daemon may be away.
pub async fn livez(State(app): State<Arc<App>>, verbosity: Query<Verbosity>) -> Response {
    answer(&[sampler(&app)], "alive", "not alive", &verbosity)
}

/// Whether commands are taken. A sink in trouble degrades; it fails only if `--ready-sink` names it.
pub async fn readyz(State(app): State<Arc<App>>, verbosity: Query<Verbosity>) -> Response {
    let snapshot = app.sampler.fresh().await;
    let mut all = vec![sampler(&app)];
    all.append(&mut checks(&snapshot, &app.flags.ready_sink));
    answer(&all, "ready", "not ready", &verbosity)
}

/// Without it, what is known of the daemon is old.
fn sampler(app: &App) -> Check {
    let outcome = if app.is_sampler_alive() { Outcome::Ok } else { Outcome::Failed };
    Check { name: "sampler".into(), outcome, detail: String::new() }
}

fn checks(snapshot: &Snapshot, ready_sinks: &[String]) -> Vec<Check> {
    let status = match &snapshot.status {
        Ok((_, status)) => status,
        Err(error) => {
            return vec![Check { name: "daemon".into(), outcome: Outcome::Failed, detail: error.to_string() }];
        }
    };
    let takes = status.takes_commands();
    let mut checks = vec![
        Check { name: "daemon".into(), outcome: Outcome::Ok, detail: String::new() },
        Check {
            name: "commands".into(),
            outcome: if takes { Outcome::Ok } else { Outcome::Failed },
            detail: if takes { String::new() } else { status.state.clone() },
        },
    ];
    for sink in &status.sinks {
        let outcome = match (sink.is_in_trouble(), ready_sinks.contains(&sink.name)) {
            (false, _) => Outcome::Ok,
            (true, false) => Outcome::Degraded,
            (true, true) => Outcome::Failed,
        };
        checks.push(Check { name: format!("sink {}", sink.name), outcome, detail: sink.state.clone() });
    }
    for missing in ready_sinks.iter().filter(|name| status.sink(name).is_none()) {
        checks.push(Check {
            name: format!("sink {missing}"),
            outcome: Outcome::Failed,
            detail: "the daemon has no such sink".into(),
        });
    }
    checks
}

fn answer(checks: &[Check], good: &str, bad: &str, verbosity: &Verbosity) -> Response {
    let failed = checks.iter().any(|check| check.outcome == Outcome::Failed);
    let verbose = verbosity.verbose.is_some();
    let mut text = String::new();
    for check in checks.iter().filter(|check| verbose || check.outcome != Outcome::Ok) {
        text += &check.line();
        text.push('\n');
    }
    let degraded = checks.iter().any(|check| check.outcome == Outcome::Degraded);
    let verdict = match (failed, degraded) {
        (true, _) => bad.to_owned(),
        (false, true) => format!("{good} (degraded)"),
        (false, false) => good.to_owned(),
    };
    text += &verdict;
    text.push('\n');
    let code = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, text).into_response()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
