//! What no sink may have recorded, each with the verdict it must get.

use super::builder::{HistoryBuilder, place};
use super::mutate::{judged, spoiled};
use super::record::{Delivery, History};
use super::verdict::Verdict::{Changed, Duplicate, Lost, Phantom, Reordered};

/// Where the sink first got this sequence.
fn first(history: &History, sequence: u64) -> usize {
    let digits = format!("{sequence:020}");
    history.deliveries.iter().position(|delivery| delivery.text.contains(&digits)).expect("a delivery")
}

#[test]
fn a_durable_event_that_never_arrived_is_lost() {
    spoiled(&[Lost], |history| {
        let at = first(history, 3);
        history.deliveries.remove(at);
    });
}

#[test]
fn the_last_event_that_never_arrived_is_lost() {
    spoiled(&[Lost], |history| {
        history.deliveries.pop();
    });
}

#[test]
fn an_event_that_no_journal_holds_is_a_phantom() {
    spoiled(&[Phantom], |history| {
        let last = history.deliveries.last().expect("a delivery");
        let text = last.text.replace(&format!("{:020}", 8), &format!("{:020}", 9));
        history.deliveries.push(Delivery { life: 2, text });
    });
}

#[test]
fn an_event_seen_before_the_kill_and_missing_after_it_is_lost() {
    // The sink was given it from memory; the dump after the kill does not have it, the command was sent again.
    let mut story = HistoryBuilder::new();
    story.done(place(1), "c1");
    story.unanswered(place(2), "c2");
    story.kill(0);
    story.done(place(2), "c2");
    let mut history = story.finish();
    history.deliveries[1].life = 0;
    judged(&history, &[Lost]);
}

#[test]
fn an_event_whose_bytes_differ_from_the_journal_is_changed() {
    spoiled(&[Changed, Lost], |history| {
        let at = first(history, 1);
        let text = &mut history.deliveries[at].text;
        *text = text.replace("\"specversion\":\"1.0\"", "\"specversion\": \"1.0\"");
    });
}

#[test]
fn a_redelivery_whose_bytes_differ_is_changed() {
    spoiled(&[Changed], |history| {
        let again = history.deliveries.iter_mut().find(|delivery| delivery.life == 1);
        let text = &mut again.expect("a redelivery").text;
        *text = text.replace("/orderd", "/orders");
    });
}

#[test]
fn half_an_event_is_changed() {
    spoiled(&[Changed, Lost], |history| {
        let at = first(history, 2);
        let half = history.deliveries[at].text.len() / 2;
        history.deliveries[at].text.truncate(half);
    });
}

#[test]
fn first_deliveries_in_another_order_are_reordered() {
    spoiled(&[Reordered], |history| {
        let at = first(history, 2);
        history.deliveries.swap(at, at + 1);
    });
}

#[test]
fn an_event_left_out_and_brought_after_the_restart_is_reordered() {
    spoiled(&[Reordered], |history| {
        let at = first(history, 3);
        let mut late = history.deliveries.remove(at);
        late.life = 1;
        let start = history.deliveries.iter().position(|delivery| delivery.life == 1);
        history.deliveries.insert(start.expect("a second life"), late);
    });
}

#[test]
fn a_restart_that_delivers_more_again_than_its_bound_is_a_duplicate() {
    let mut story = HistoryBuilder::new();
    for order in 1..=5 {
        story.done(place(order), &format!("c{order}"));
    }
    story.kill(3);
    judged(&story.finish(), &[Duplicate]);
}

#[test]
fn an_event_delivered_twice_in_one_life_is_a_duplicate() {
    spoiled(&[Duplicate], |history| {
        let at = first(history, 8);
        let again = history.deliveries[at].clone();
        history.deliveries.push(again);
    });
}

#[test]
fn redeliveries_in_another_order_are_reordered() {
    spoiled(&[Reordered], |history| {
        let start = history.deliveries.iter().position(|delivery| delivery.life == 1);
        let start = start.expect("a second life");
        history.deliveries.swap(start, start + 1);
    });
}
