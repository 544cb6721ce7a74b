//! Why events go through the outbox: the reviewed flow (REVIEW.md) loses them, repeats them and invents them, in a
//! small model; the same crash does nothing of the kind to orderd.

mod model;
mod orderd;

use model::{
    Fault, Heard, World, cancel_then_publish, check_commit_then_publish, commit_then_publish, commit_then_store_entry,
    publish_in_transaction, publish_then_commit, store_entry_then_commit,
};

#[test]
fn direct_publish_loses_the_event_of_a_process_that_dies_after_the_commit() {
    let world = World::new(Fault::DiesHalfway);
    assert_eq!(commit_then_publish(&world, "placed"), Err(Heard::Silence));
    // The restart: nothing in either file says that an event is owed.
    assert_eq!((world.order().as_str(), world.bus().len()), ("completed", 0));
    // Nor does it help that the caller tries again: with the check that the flow lacks, this can never be mended.
    assert_eq!(check_commit_then_publish(&world, &world.order()), Err(Heard::Error));
    assert_eq!((world.order().as_str(), world.bus().len()), ("completed", 0));
}

#[test]
fn direct_publish_reports_an_error_for_an_order_that_it_has_completed() {
    let world = World::new(Fault::BusRefuses);
    assert_eq!(commit_then_publish(&world, "placed"), Err(Heard::Error));
    assert_eq!((world.order().as_str(), world.bus().len()), ("completed", 0));
}

#[test]
fn direct_publish_tried_again_announces_one_completion_twice() {
    let world = World::new(Fault::BusAnswerLost);
    assert_eq!(commit_then_publish(&world, "placed"), Err(Heard::Error));
    assert_eq!(commit_then_publish(&world, &world.order()), Ok(()));
    // Two lines and nothing to tell a repetition from a second completion by.
    assert_eq!(world.bus(), ["OrderCompleted", "OrderCompleted"]);
}

#[test]
fn direct_publish_completes_an_order_that_was_cancelled_meanwhile() {
    let world = World::new(Fault::None);
    let (first, second) = (world.order(), world.order());
    assert_eq!(cancel_then_publish(&world, &second), Ok(()));
    assert_eq!(commit_then_publish(&world, &first), Ok(()));
    assert_eq!(world.order(), "completed", "the cancellation is overwritten");
    assert_eq!(world.bus(), ["OrderCancelled", "OrderCompleted"], "and both were announced");
}

#[test]
fn publishing_first_announces_what_never_happened() {
    for fault in [Fault::DiesHalfway, Fault::CommitFails] {
        let world = World::new(fault);
        assert!(publish_then_commit(&world).is_err());
        assert_eq!((world.order().as_str(), world.bus().len()), ("placed", 1), "{fault:?}");
    }
}

#[test]
fn publishing_inside_the_transaction_announces_what_is_rolled_back() {
    for fault in [Fault::DiesHalfway, Fault::CommitFails, Fault::BusAnswerLost] {
        let world = World::new(fault);
        assert!(publish_in_transaction(&world).is_err());
        assert_eq!((world.order().as_str(), world.bus().len()), ("placed", 1), "{fault:?}");
    }
}

#[test]
fn an_outbox_in_a_transaction_of_its_own_loses_or_invents_the_event() {
    let world = World::new(Fault::DiesHalfway);
    assert!(commit_then_store_entry(&world).is_err());
    assert_eq!((world.order().as_str(), world.outbox().len()), ("completed", 0), "lost");
    for fault in [Fault::DiesHalfway, Fault::CommitFails] {
        let world = World::new(fault);
        assert!(store_entry_then_commit(&world).is_err());
        assert_eq!((world.order().as_str(), world.outbox().len()), ("placed", 1), "{fault:?}: invented");
    }
}
