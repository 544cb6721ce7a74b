//! Journals that no daemon may leave behind, each with the verdict it must get.

use super::builder::{id, time};
use super::mutate::{sound, spoiled};
use super::record::Order;
use super::verdict::Verdict::{Changed, Duplicate, Illegal, Lost, Phantom, Reordered, Torn};

fn order(plan: &mut super::Plan) -> &mut Order {
    plan.order.as_mut().expect("an order")
}

#[test]
fn an_answered_plan_that_is_gone_in_the_end_is_lost() {
    spoiled(&[Lost, Phantom], |history| {
        // Life 2 had not dumped it; the sink had it.
        history.dumps[2].plans.pop();
        history.seen.pop();
        let last = history.calls.iter().position(|call| call.command_id.as_deref() == Some("c12"));
        history.calls.truncate(last.expect("the call") + 1);
    });
}

#[test]
fn a_plan_that_an_earlier_dump_showed_and_the_last_does_not_is_lost() {
    spoiled(&[Lost], |history| {
        history.calls.retain(|call| call.command_id.as_deref() != Some("c12"));
        history.seen.clear();
        history.reads();
        history.calls.retain(|call| call.command_id.is_some());
        history.deliveries.pop();
        history.dumps[2].plans.truncate(6);
    });
}

#[test]
fn a_hole_in_the_lsns_is_lost() {
    spoiled(&[Lost], |history| {
        history.dumps[2].plans.remove(4);
    });
}

#[test]
fn a_plan_missing_from_every_dump_is_lost() {
    spoiled(&[Lost, Phantom], |history| {
        for dump in &mut history.dumps {
            dump.plans.retain(|plan| plan.lsn != 7);
        }
    });
}

#[test]
fn a_journal_without_its_beginning_is_lost() {
    spoiled(&[Lost, Phantom, Illegal], |history| {
        for dump in &mut history.dumps {
            dump.plans.remove(0);
        }
    });
}

#[test]
fn lsns_that_go_back_are_reordered() {
    spoiled(&[Reordered, Lost], |history| history.dumps[2].plans.swap(2, 3));
}

#[test]
fn an_lsn_shown_twice_is_a_duplicate() {
    spoiled(&[Duplicate], |history| {
        let plan = history.dumps[2].plans[3].clone();
        history.dumps[2].plans.insert(4, plan);
    });
}

#[test]
fn an_lsn_given_out_again_after_a_restart_is_changed() {
    spoiled(&[Changed, Phantom], |history| {
        let plan = &mut history.dumps[0].plans[4];
        plan.order.as_mut().expect("an order").total_amount += 1;
    });
}

#[test]
fn an_event_that_differs_between_two_dumps_is_changed() {
    spoiled(&[Changed], |history| {
        let text = &mut history.dumps[1].plans[1].events[0];
        *text = text.replace("/orderd", "/orders");
    });
}

#[test]
fn an_order_changed_without_its_event_is_torn() {
    spoiled(&[Torn, Lost, Phantom], |history| {
        history.in_every_dump(2, |plan| plan.events.clear());
    });
}

#[test]
fn an_event_without_its_order_is_torn() {
    spoiled(&[Torn, Changed, Phantom, Lost, Illegal], |history| {
        history.in_every_dump(2, |plan| plan.order = None);
    });
}

#[test]
fn an_order_missing_from_a_plan_that_nobody_was_answered_is_torn() {
    let mut story = sound();
    story.done_unanswered(super::builder::place(5), "c13");
    let mut history = story.finish();
    history.in_every_dump(9, |plan| plan.order = None);
    super::mutate::judged(&history, &[Torn, Phantom]);
}

#[test]
fn two_events_for_one_change_are_a_duplicate() {
    spoiled(&[Duplicate], |history| {
        let second = history.dumps[2].plans[7].events[0]
            .replace(&format!("{:020}", 8), &format!("{:020}", 9))
            .replace(&id(1008), &id(1009));
        let text = second.clone();
        history.in_every_dump(8, |plan| plan.events.push(second.clone()));
        history.deliveries.push(super::Delivery { life: 2, text });
    });
}

#[test]
fn a_hole_in_the_sequences_is_lost() {
    let mut story = sound();
    story.done(super::builder::place(5), "c13");
    let mut history = story.finish();
    history.everywhere(9, |text| text.replace(&format!("{:020}", 9), &format!("{:020}", 10)));
    super::mutate::judged(&history, &[Lost]);
}

#[test]
fn a_sequence_with_two_contents_is_changed() {
    spoiled(&[Changed, Lost], |history| {
        history.in_every_dump(6, |plan| {
            plan.events[0] = plan.events[0].replace(&format!("{:020}", 6), &format!("{:020}", 5));
        });
        history.deliveries.retain(|delivery| !delivery.text.contains(&format!("{:020}", 6)));
    });
}

#[test]
fn a_sequence_that_stands_twice_is_a_duplicate() {
    spoiled(&[Duplicate, Changed, Lost], |history| {
        let first = history.dumps[2].plans[4].events[0].clone();
        history.in_every_dump(6, |plan| plan.events[0] = first.clone());
        history.deliveries.retain(|delivery| !delivery.text.contains(&format!("{:020}", 6)));
    });
}

#[test]
fn sequences_in_another_order_than_their_plans_are_reordered() {
    spoiled(&[Reordered, Lost], |history| {
        let (six, seven) = (format!("{:020}", 6), format!("{:020}", 7));
        history.in_every_dump(6, |plan| plan.events[0] = plan.events[0].replace(&six, &seven));
        let swap = |plan: &mut super::Plan| {
            if plan.lsn == 7 {
                plan.events[0] = plan.events[0].replace(&seven, &six);
            }
        };
        history.in_every_dump(7, swap);
        for delivery in &mut history.deliveries {
            if delivery.text.contains(&six) {
                delivery.text = delivery.text.replace(&six, &seven);
            } else {
                delivery.text = delivery.text.replace(&seven, &six);
            }
        }
        // The sink gets them by number.
        history.deliveries.sort_by_key(|delivery| (delivery.life, sequence_of(&delivery.text)));
    });
}

fn sequence_of(text: &str) -> String {
    let start = text.find("\"sequence\":\"").expect("a sequence") + 12;
    text[start..start + 20].to_owned()
}

#[test]
fn an_event_id_used_for_two_events_is_a_duplicate() {
    spoiled(&[Duplicate], |history| {
        history.everywhere(8, |text| text.replace(&id(1008), &id(1003)));
    });
}

#[test]
fn an_event_that_tells_another_amount_than_its_order_is_changed() {
    spoiled(&[Changed], |history| {
        history.everywhere(2, |text| text.replace("\"total_amount\":20", "\"total_amount\":21"));
    });
}

#[test]
fn an_event_with_the_time_of_its_storing_is_changed() {
    spoiled(&[Changed], |history| {
        history.everywhere(4, |text| {
            text.replace(&format!("\"time\":\"{}\"", time(4)), &format!("\"time\":\"{}\"", time(5)))
        });
    });
}

#[test]
fn an_event_of_another_version_is_changed() {
    spoiled(&[Changed], |history| {
        history.everywhere(3, |text| text.replace("\"orderversion\":2", "\"orderversion\":3"));
    });
}

#[test]
fn a_cancellation_from_the_wrong_status_is_changed() {
    spoiled(&[Changed], |history| {
        history.everywhere(7, |text| text.replace("\"cancelled_from\":\"completed\"", "\"cancelled_from\":\"placed\""));
    });
}

#[test]
fn an_event_that_is_no_event_is_changed() {
    spoiled(&[Changed, Lost], |history| {
        history.everywhere(8, |text| text.replace("\"specversion\":\"1.0\",", ""));
    });
}

#[test]
fn a_version_left_out_is_lost() {
    spoiled(&[Lost, Phantom, Changed], |history| {
        history.everywhere(7, |text| text.replace("\"orderversion\":3", "\"orderversion\":4"));
        history.in_every_dump(7, |plan| order(plan).version = 4);
    });
}

#[test]
fn a_version_that_stands_twice_is_a_duplicate() {
    spoiled(&[Duplicate, Changed, Phantom], |history| {
        history.everywhere(7, |text| text.replace("\"orderversion\":3", "\"orderversion\":2"));
        history.in_every_dump(7, |plan| order(plan).version = 2);
    });
}

#[test]
fn a_cancelled_order_that_is_completed_is_illegal() {
    let mut story = sound();
    story.done(super::builder::complete(2), "c13");
    super::mutate::judged(&story.finish(), &[Illegal, Reordered]);
}

#[test]
fn an_order_placed_twice_is_illegal() {
    let mut story = sound();
    story.done(super::builder::place(4), "c13");
    super::mutate::judged(&story.finish(), &[Illegal, Duplicate, Changed]);
}

#[test]
fn an_order_whose_customer_changes_is_changed() {
    spoiled(&[Changed], |history| {
        history.everywhere(8, |text| text.replace(&id(103), &id(104)));
        history.in_every_dump(8, |plan| order(plan).customer_id = id(104));
    });
}

#[test]
fn an_order_completed_before_it_was_placed_is_reordered() {
    spoiled(&[Reordered, Changed], |history| {
        let before = "2025-01-01T00:00:00.000000Z";
        history.everywhere(8, |text| text.replace(&time(8), before));
        history.in_every_dump(8, |plan| order(plan).completed_at = Some(before.to_owned()));
    });
}

#[test]
fn a_plan_that_no_command_asked_for_is_a_phantom() {
    spoiled(&[Phantom], |history| {
        history.calls.retain(|call| call.command_id.as_deref() != Some("c2"));
        history.calls.retain(|call| call.command_id.as_deref() != Some("c7"));
    });
}
