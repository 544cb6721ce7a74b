//! The newest decisions, read on from where the last look ended: the daemon has to search its journal for them.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::daemon::{CallError, Daemon};

/// Decisions that are kept.
const KEPT_MAX: usize = 100;
/// Decisions in one answer.
const ANSWER_MAX: u64 = 1_000;
/// Answers that one look waits for; the next look goes on.
const ANSWERS_MAX: usize = 8;

/// What is known of the decisions' log.
#[derive(Debug, Default)]
pub struct DecisionLog(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Everything up to this LSN was read.
    read_to: u64,
    /// Oldest first.
    newest: VecDeque<Value>,
}

impl DecisionLog {
    /// The newest decisions, the last one first. `durable_lsn` is the journal's end as of a moment ago.
    ///
    /// # Errors
    /// The daemon refused, or did not answer.
    pub async fn newest(&self, daemon: &Daemon, durable_lsn: u64) -> Result<Vec<Value>, CallError> {
        let mut known = self.0.lock().await;
        if durable_lsn < known.read_to {
            // Another store, or one from a backup.
            *known = Known::default();
        }
        for _ in 0..ANSWERS_MAX {
            let params = json!({"after_lsn": known.read_to, "limit": ANSWER_MAX});
            let answer = daemon.query("decision.list", &params).await?;
            if !known.take(&answer, durable_lsn) {
                break;
            }
        }
        Ok(known.newest.iter().rev().cloned().collect())
    }
}

impl Known {
    /// Adds an answer; true if there is more.
    fn take(&mut self, answer: &Value, durable_lsn: u64) -> bool {
        let decisions = answer.get("decisions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        self.newest.extend(decisions.iter().cloned());
        let superfluous = self.newest.len().saturating_sub(KEPT_MAX);
        self.newest.drain(..superfluous);
        let last = decisions.iter().filter_map(|decision| decision.get("lsn")?.as_u64()).max();
        let next = answer.get("next").and_then(Value::as_u64).filter(|next| *next > self.read_to);
        // Without more, everything that was durable before the question was read.
        self.read_to = next.or(last).unwrap_or_default().max(self.read_to);
        if next.is_none() {
            self.read_to = self.read_to.max(durable_lsn);
        }
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_look_reads_on_where_the_last_one_ended() {
        let mut known = Known::default();
        assert!(known.take(&json!({"decisions": [{"lsn": 3}, {"lsn": 9}], "next": 9}), 50));
        assert_eq!(known.read_to, 9);
        assert!(!known.take(&json!({"decisions": [{"lsn": 20}], "next": null}), 50));
        assert_eq!(known.read_to, 50);
        assert!(!known.take(&json!({"decisions": [{"lsn": 61}], "next": null}), 55));
        assert_eq!((known.read_to, known.newest.len()), (61, 4));
    }

    #[test]
    fn an_answer_that_leads_nowhere_ends_the_look() {
        let mut known = Known { read_to: 10, ..Known::default() };
        assert!(!known.take(&json!({"decisions": [], "next": 10}), 10));
        assert!(!known.take(&json!({"odd": 1}), 10));
    }
}
