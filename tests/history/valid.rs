//! Sound histories: the checker has nothing to say.

use super::builder::{HistoryBuilder, cancel, complete, id, place};
use super::mutate::{judged, sound};
use super::record::{Delivery, History, Outcome, Request};

#[test]
fn nothing_at_all_is_sound() {
    judged(&History::default(), &[]);
}

#[test]
fn a_history_with_everything_that_may_happen_is_sound() {
    judged(&sound().finish(), &[]);
}

#[test]
fn an_order_id_given_by_the_daemon_is_sound() {
    let mut story = HistoryBuilder::new();
    let request = Request::Place { order_id: None, customer_id: id(1), total_amount: 0 };
    story.done(request, "c1");
    judged(&story.finish(), &[]);
}

#[test]
fn an_effect_without_an_answer_is_sound() {
    let mut story = HistoryBuilder::new();
    story.done_unanswered(place(1), "c1");
    story.kill(0);
    judged(&story.finish(), &[]);
}

#[test]
fn no_effect_without_an_answer_is_sound() {
    let mut story = HistoryBuilder::new();
    story.unanswered(place(1), "c1");
    story.kill(0);
    judged(&story.finish(), &[]);
}

#[test]
fn a_command_sent_many_times_over_many_kills_is_sound() {
    let mut story = HistoryBuilder::new();
    for _ in 0..5 {
        story.unanswered(place(1), "c1");
        story.kill(0);
    }
    let lsn = story.done_unanswered(place(1), "c1");
    for _ in 0..5 {
        story.kill(1);
        story.again(place(1), "c1", lsn);
    }
    judged(&story.finish(), &[]);
}

#[test]
fn a_sink_that_failed_may_be_given_a_batch_twice() {
    let mut story = sound();
    story.history.sink_failed = true;
    let life = story.life();
    for delivery in story.history.deliveries.clone().iter().rev().take(2).rev() {
        let text = delivery.text.clone();
        story.history.deliveries.push(Delivery { life, text });
    }
    judged(&story.finish(), &[]);
}

#[test]
fn dumps_that_begin_where_retention_left_them_are_sound_together() {
    let mut history = sound().finish();
    let last = history.dumps.last_mut().expect("a dump");
    last.plans.drain(..4);
    judged(&history, &[]);
}

#[test]
fn reads_that_overlap_a_change_may_see_either_side() {
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.read(1);
    story.done(complete(1), "c2");
    story.done(cancel(1), "c3");
    let mut history = story.finish();
    // The read was under way until after both changes.
    let end = history.dumps[0].at;
    for call in &mut history.calls {
        if let Outcome::Read { at, .. } = &mut call.outcome {
            *at = end;
        }
    }
    judged(&history, &[]);
}
