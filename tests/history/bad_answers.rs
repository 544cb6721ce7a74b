//! Answers that no daemon may give, each with the verdict it must get.

use super::builder::{HistoryBuilder, cancel, complete, id, place};
use super::mutate::{judged, sound, spoiled};
use super::record::{Outcome, Refusal, Request};
use super::verdict::Verdict::{Changed, Duplicate, Lost, Phantom, Reordered};

#[test]
fn an_answer_beyond_the_end_of_the_journal_is_lost() {
    let mut story = sound();
    story.unanswered(place(5), "c13");
    let at = story.now();
    let order = {
        let Outcome::Done { order, .. } = &story.history.calls[0].outcome else { panic!("a result") };
        super::Order { order_id: id(5), customer_id: id(105), total_amount: 50, ..order.clone() }
    };
    story.history.call("c13", 0).outcome = Outcome::Done { at, order, lsn: 9, duplicate: false };
    judged(&story.finish(), &[Lost]);
}

#[test]
fn an_answer_missing_from_the_first_dump_after_a_kill_is_lost() {
    // Later dumps have it again: it came back too late to have been durable.
    spoiled(&[Lost], |history| {
        history.dumps[0].plans.truncate(3);
    });
}

#[test]
fn an_answer_that_shows_another_order_than_the_journal_is_changed() {
    spoiled(&[Changed], |history| {
        let Outcome::Done { order, .. } = &mut history.call("c3", 0).outcome else { panic!("a result") };
        order.completed_at = order.completed_at.as_ref().map(|time| time.replace("2026", "2027"));
    });
}

#[test]
fn an_answer_to_another_question_is_changed() {
    spoiled(&[Changed, Phantom], |history| {
        let call = history.call("c12", 0);
        let Request::Complete { order_id } = &mut call.request else { panic!("a completion") };
        *order_id = id(4);
    });
}

#[test]
fn a_cancellation_stored_with_another_reason_is_a_phantom() {
    spoiled(&[Phantom], |history| {
        let call = history.call("c4", 0);
        let Request::Cancel { reason, .. } = &mut call.request else { panic!("a cancellation") };
        *reason = Some("early".into());
    });
}

#[test]
fn a_second_answer_with_another_lsn_is_a_duplicate() {
    let mut story = HistoryBuilder::new();
    let request = || Request::Place { order_id: None, customer_id: id(1), total_amount: 1 };
    story.done(request(), "c1");
    story.kill(0);
    story.done(request(), "c1");
    judged(&story.finish(), &[Duplicate]);
}

#[test]
fn a_second_effect_behind_an_unanswered_one_is_a_phantom() {
    // Sent twice, answered once as new: the first sending had the effect that the answer denies.
    let mut story = HistoryBuilder::new();
    let request = || Request::Place { order_id: None, customer_id: id(1), total_amount: 1 };
    story.done_unanswered(request(), "c1");
    story.kill(0);
    story.done(request(), "c1");
    judged(&story.finish(), &[Phantom]);
}

#[test]
fn two_effects_of_one_unanswered_command_are_a_duplicate() {
    let mut story = HistoryBuilder::new();
    let request = || Request::Place { order_id: None, customer_id: id(1), total_amount: 1 };
    story.done_unanswered(request(), "c1");
    story.kill(0);
    story.done_unanswered(request(), "c1");
    judged(&story.finish(), &[Duplicate]);
}

#[test]
fn a_second_answer_that_says_it_is_the_first_is_a_duplicate() {
    spoiled(&[Duplicate, Reordered], |history| {
        let Outcome::Done { duplicate, .. } = &mut history.call("c8", 1).outcome else { panic!("a result") };
        *duplicate = false;
    });
}

#[test]
fn a_first_answer_that_says_it_is_the_second_is_a_phantom() {
    spoiled(&[Phantom], |history| {
        let Outcome::Done { duplicate, .. } = &mut history.call("c1", 0).outcome else { panic!("a result") };
        *duplicate = true;
    });
}

#[test]
fn a_duplicate_without_a_command_id_is_a_phantom() {
    spoiled(&[Phantom, Duplicate], |history| history.call("c8", 1).command_id = None);
}

#[test]
fn a_second_answer_with_other_content_is_changed() {
    spoiled(&[Changed], |history| {
        let Outcome::Done { order, .. } = &mut history.call("c8", 1).outcome else { panic!("a result") };
        order.version = 2;
    });
}

#[test]
fn a_command_forgotten_after_its_answer_is_lost() {
    spoiled(&[Lost], |history| {
        let call = history.call("c8", 1);
        let at = call.returned().expect("an answer");
        call.outcome = Outcome::Refused { at, refusal: Refusal::InvalidTransition };
    });
}

#[test]
fn a_command_refused_after_its_effect_is_a_phantom() {
    // The effect of the first sending is in the journal, yet the second was judged without knowing it.
    spoiled(&[Phantom], |history| {
        let call = history.call("c5", 1);
        let at = call.returned().expect("an answer");
        call.outcome = Outcome::Refused { at, refusal: Refusal::OrderExists };
    });
}

#[test]
fn a_refused_command_with_an_effect_is_a_phantom() {
    spoiled(&[Phantom], |history| {
        let call = history.call("c12", 0);
        let at = call.returned().expect("an answer");
        call.outcome = Outcome::Refused { at, refusal: Refusal::TurnedAway };
    });
}

#[test]
fn one_effect_answered_to_two_commands_is_a_duplicate() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.done(complete(1), "c2");
    story.unanswered(complete(1), "c3");
    let mut answer = story.history.call("c2", 0).outcome.clone();
    if let Outcome::Done { at, .. } = &mut answer {
        *at = story.now();
    }
    story.history.call("c3", 0).outcome = answer;
    story.history.call("c3", 0).invoked = 3;
    story.history.call("c3", 0).connection = 9;
    judged(&story.finish(), &[Duplicate]);
}

#[test]
fn one_command_id_with_two_contents_done_is_a_duplicate() {
    spoiled(&[Duplicate], |history| history.call("c4", 0).command_id = Some("c3".into()));
}

#[test]
fn an_effect_behind_a_later_one_is_reordered() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.done(place(2), "c2");
    let mut history = story.finish();
    // The second was answered before the first was sent.
    history.calls[0].connection = 7;
    history.calls[0].invoked = 100;
    if let Outcome::Done { at, .. } = &mut history.calls[0].outcome {
        *at = 101;
    }
    history.dumps[0].at = 102;
    judged(&history, &[Reordered]);
}

#[test]
fn lines_of_one_connection_executed_in_another_order_are_reordered() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.done(place(2), "c2");
    let mut history = story.finish();
    // Both under way at once, so that only the connection tells their order.
    history.calls[0].position = 2;
    history.calls[1].position = 1;
    history.calls[0].invoked = 0;
    history.calls[1].invoked = 0;
    judged(&history, &[Reordered]);
}

#[test]
fn a_completion_before_its_order_was_answered_is_sound_within_one_pipeline() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.done(complete(1), "c2");
    story.done(cancel(1), "c3");
    let mut history = story.finish();
    for call in &mut history.calls {
        call.invoked = 0;
    }
    judged(&history, &[]);
}
