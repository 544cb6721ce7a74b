//! Reads, refusals and status answers that no daemon may give, each with the verdict it must get.

use super::builder::{HistoryBuilder, cancel, complete, id, place};
use super::mutate::{judged, sound, spoiled};
use super::record::{Outcome, Refusal, Request};
use super::verdict::Verdict::{Changed, Lost, Phantom, Stale};

#[test]
fn a_read_of_a_version_that_no_journal_has_is_a_phantom() {
    spoiled(&[Phantom], |history| history.reads()[1].version = 3);
}

#[test]
fn a_read_of_an_order_that_no_journal_has_is_a_phantom() {
    spoiled(&[Phantom], |history| {
        history.reads()[1].order_id = id(4444);
        let mut read = history.calls.iter_mut().filter(|call| matches!(call.outcome, Outcome::Read { .. }));
        read.nth(1).expect("a read").request = Request::Get { order_id: id(4444) };
    });
}

#[test]
fn a_read_that_shows_another_content_is_changed() {
    spoiled(&[Changed], |history| history.reads()[0].total_amount = 11);
}

#[test]
fn a_read_that_shows_another_order_is_changed() {
    spoiled(&[Changed], |history| {
        let read = history.calls.iter_mut().find(|call| matches!(call.outcome, Outcome::Read { .. }));
        read.expect("a read").request = Request::Get { order_id: id(2) };
    });
}

#[test]
fn a_read_older_than_an_answer_is_stale() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.read(1);
    story.done(complete(1), "c2");
    let mut history = story.finish();
    let end = history.dumps[0].at;
    for call in &mut history.calls {
        if let Outcome::Read { at, .. } = &mut call.outcome {
            call.invoked = end + 1;
            *at = end + 2;
        }
    }
    judged(&history, &[Stale]);
}

#[test]
fn a_read_older_than_another_read_is_stale() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.done_unanswered(complete(1), "c2");
    story.read(1);
    story.read(1);
    let mut history = story.finish();
    let first = match &history.calls[0].outcome {
        Outcome::Done { order, .. } => order.clone(),
        _ => panic!("a result"),
    };
    *history.reads()[1] = first;
    judged(&history, &[Stale]);
}

#[test]
fn a_read_of_what_nobody_had_asked_for_yet_is_a_phantom() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.done(complete(1), "c2");
    story.read(1);
    let mut history = story.finish();
    let read = history.calls.last_mut().expect("a read");
    read.invoked = 2;
    if let Outcome::Read { at, .. } = &mut read.outcome {
        *at = 2;
    }
    judged(&history, &[Phantom]);
}

#[test]
fn an_answered_order_that_is_not_found_is_lost() {
    let mut story = sound();
    story.refused(Request::Get { order_id: id(4) }, "c13", Refusal::OrderNotFound);
    judged(&story.finish(), &[Lost]);
}

#[test]
fn an_answered_order_that_a_command_does_not_find_is_lost() {
    let mut story = sound();
    story.refused(cancel(4), "c13", Refusal::OrderNotFound);
    judged(&story.finish(), &[Lost]);
}

#[test]
fn a_refusal_for_an_order_that_never_was_is_a_phantom() {
    let mut story = sound();
    story.refused(place(77), "c13", Refusal::OrderExists);
    judged(&story.finish(), &[Phantom]);
}

#[test]
fn a_refusal_for_a_completion_that_is_gone_is_a_phantom() {
    // Completed in memory, told to a second client, and not durable when the daemon died.
    let mut story = sound();
    story.unanswered(complete(4), "c13");
    story.refused(complete(4), "c14", Refusal::InvalidTransition);
    story.kill(0);
    judged(&story.finish(), &[Phantom]);
}

#[test]
fn a_refusal_for_a_cancellation_that_is_gone_is_a_phantom() {
    let mut story = sound();
    story.refused(cancel(4), "c14", Refusal::InvalidTransition);
    judged(&story.finish(), &[Phantom]);
}

#[test]
fn a_refusal_for_a_state_that_came_later_is_a_phantom() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.refused(cancel(1), "c2", Refusal::InvalidTransition);
    story.done(cancel(1), "c3");
    judged(&story.finish(), &[Phantom]);
}

#[test]
fn a_conflict_with_a_command_that_nobody_sent_is_a_phantom() {
    let mut story = sound();
    story.refused(place(5), "c13", Refusal::CommandIdConflict);
    judged(&story.finish(), &[Phantom]);
}

#[test]
fn a_durable_lsn_that_the_journal_does_not_reach_is_lost() {
    spoiled(&[Lost], |history| history.seen[1].durable_lsn = 9);
}

#[test]
fn a_sequence_shown_that_the_journal_does_not_reach_is_lost() {
    spoiled(&[Lost], |history| history.seen[1].last_sequence = 9);
}

#[test]
fn a_durable_lsn_below_an_answer_is_stale() {
    spoiled(&[Stale], |history| history.seen[1].durable_lsn = 7);
}

#[test]
fn an_acknowledgement_beyond_the_outbox_is_a_phantom() {
    spoiled(&[Phantom], |history| history.seen[0].acked_sequence = 8);
}
