//! A sound history to spoil, and what a verdict is held to.

use super::builder::{HistoryBuilder, cancel, complete, place};
use super::check;
use super::record::{Call, History, Order, Outcome, Plan, Refusal};
use super::verdict::Verdict;

/// Eight plans over three lives, with everything that may soundly happen. Spoiled by each bad history in turn.
///
/// LSN 1 places order 1, 2 places 2, 3 completes 1, 4 cancels 2, 5 places 3 (unanswered, sent again), 6 places 4 (sent
/// again after it had no effect), 7 cancels the completed 1, 8 completes 3. Sequence n stands in LSN n.
pub(super) fn sound() -> HistoryBuilder {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.done(place(2), "c2");
    story.done(complete(1), "c3");
    story.read(1);
    story.done(cancel(2), "c4");
    let unanswered = story.done_unanswered(place(3), "c5");
    story.unanswered(place(4), "c6");
    story.unanswered(complete(2), "c7");
    story.kill(2);
    story.again(place(3), "c5", unanswered);
    story.done(place(4), "c6");
    story.refused(complete(2), "c7", Refusal::InvalidTransition);
    story.done(cancel(1), "c8");
    story.again(cancel(1), "c8", 7);
    story.refused(complete(9), "c9", Refusal::OrderNotFound);
    story.refused(place(1), "c10", Refusal::OrderExists);
    story.refused(place(7), "c2", Refusal::CommandIdConflict);
    story.refused(place(8), "c11", Refusal::TurnedAway);
    story.status();
    story.kill(0);
    story.done(complete(3), "c12");
    story.read(3);
    story.read(1);
    story.status();
    story
}

/// Spoils a sound history and holds the checker to exactly these verdicts.
#[track_caller]
pub(super) fn spoiled(expected: &[Verdict], spoil: impl FnOnce(&mut History)) {
    let mut history = sound().finish();
    spoil(&mut history);
    judged(&history, expected);
}

/// Holds the checker to exactly these verdicts, each given at least once.
#[track_caller]
pub(super) fn judged(history: &History, expected: &[Verdict]) {
    let violations = check(history);
    let mut verdicts: Vec<Verdict> = violations.iter().map(|violation| violation.verdict).collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let text: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(verdicts, expected, "{}", text.join("\n"));
}

impl History {
    /// Changes the plan with this LSN in every dump, and what the sink got of it stays.
    pub(super) fn in_every_dump(&mut self, lsn: u64, change: impl Fn(&mut Plan)) {
        for dump in &mut self.dumps {
            dump.plans.iter_mut().filter(|plan| plan.lsn == lsn).for_each(&change);
        }
    }

    /// Changes an event in the journal and in the sink alike.
    pub(super) fn everywhere(&mut self, sequence: u64, change: impl Fn(&str) -> String) {
        let digits = format!("{sequence:020}");
        let texts = self.dumps.iter_mut().flat_map(|dump| &mut dump.plans);
        let texts = texts.flat_map(|plan| &mut plan.events);
        let texts = texts.chain(self.deliveries.iter_mut().map(|delivery| &mut delivery.text));
        for text in texts.filter(|text| text.contains(&digits)) {
            *text = change(text);
        }
    }

    /// The call with this command id, the `number`th time that it was sent.
    pub(super) fn call(&mut self, command: &str, number: usize) -> &mut Call {
        let mut calls = self.calls.iter_mut().filter(|call| call.command_id.as_deref() == Some(command));
        calls.nth(number).expect("the call")
    }

    /// The reads, in their order.
    pub(super) fn reads(&mut self) -> Vec<&mut Order> {
        let orders = self.calls.iter_mut().filter_map(|call| match &mut call.outcome {
            Outcome::Read { order, .. } => Some(order),
            _ => None,
        });
        orders.collect()
    }
}
