//! What the executor makes of a store that other daemons change, or that does not answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{Executor, ExecutorOptions};
use crate::contracts::{
    Answer, Command, ConnectionId, DecisionBatch, DecisionInbox, DecisionNews, Envelope, Outcome, PlanStore, Refusal,
    Request, StoreUnavailable, Ticket,
};
use crate::domain::{Cents, CommandId, CustomerId, OrderId, Timestamp};
use crate::repo::memory_store::{Fault, MemoryStore};
use crate::testkit::{NoIds, SteppedClock};

fn executor(faults: &[Fault]) -> Executor<MemoryStore> {
    let mut store = MemoryStore::new(BTreeMap::new());
    store.faults.extend(faults);
    let options = ExecutorOptions {
        batch_commands_max: 100,
        batch_bytes_max: 1000,
        orders_max: u64::MAX,
        conflict_retries_max: 2,
    };
    Executor::new(store, Arc::new(SteppedClock::default()), Box::new(NoIds), options)
}

fn order(number: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(number))
}

fn place(number: u128, command_id: Option<u128>) -> Request {
    let (customer_id, total_amount) = (CustomerId::new(Uuid::from_u128(7)), Cents::new(5).unwrap());
    let command = Command::Place { order_id: Some(order(number)), customer_id, total_amount };
    Request::change(command, command_id.map(|id| CommandId::new(Uuid::from_u128(id))))
}

fn envelopes(requests: impl IntoIterator<Item = Request>) -> Vec<Envelope> {
    let envelope =
        |(ticket, request)| Envelope { connection: ConnectionId(1), ticket: Ticket(ticket), uid: 0, request };
    (0..).zip(requests).map(envelope).collect()
}

fn outcomes(answers: Vec<Answer>) -> Vec<Outcome> {
    assert!(answers.iter().map(|answer| answer.ticket.0).eq(0..answers.len() as u64), "in the order of the requests");
    answers.into_iter().map(|answer| answer.outcome).collect()
}

/// The LSN of a change that was made now.
fn lsn(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Changed { lsn, duplicate: false, .. } => Some(lsn.0),
        Outcome::Changed { .. } | Outcome::Found(_) | Outcome::Operated(_) | Outcome::Refused(_) => None,
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal)
}

#[test]
fn a_lost_race_is_decided_again_and_no_client_sees_it() {
    let mut executor = executor(&[Fault::Conflict, Fault::Conflict]);
    let answers = executor.run(&envelopes([place(1, None), place(1, None), place(2, None)])).unwrap();
    let outcomes = outcomes(answers);
    assert_eq!(outcomes.iter().map(lsn).collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    assert_eq!(outcomes[1], refused(Refusal::OrderExists(order(1))));
}

#[test]
fn a_batch_that_loses_again_and_again_goes_on_one_by_one() {
    let mut executor = executor(&[Fault::Conflict; 5]);
    let answers = executor.run(&envelopes([place(1, None), place(2, None), place(3, None)])).unwrap();
    assert_eq!(outcomes(answers).iter().map(lsn).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert_eq!(executor.store().faults.len(), 0);
}

#[test]
fn a_command_that_never_wins_is_refused_and_those_after_it_go_on() {
    let mut executor = executor(&[Fault::Conflict; 6]);
    let outcomes = outcomes(executor.run(&envelopes([place(1, None), place(2, None)])).unwrap());
    assert_eq!(outcomes[0], refused(Refusal::Overloaded));
    assert_eq!(lsn(&outcomes[1]), Some(1));
}

#[test]
fn while_the_store_is_away_everything_is_refused_and_goes_on_after() {
    let mut executor = executor(&[Fault::Unavailable]);
    let requests = envelopes([place(1, None), Request::Get { order_id: order(1) }]);
    let away = refused(StoreUnavailable.into());
    assert_eq!(outcomes(executor.run(&requests).unwrap()), [away.clone(), away.clone()], "at the commit");
    executor.store_mut().unavailable = true;
    assert_eq!(outcomes(executor.run(&requests).unwrap()), [away.clone(), away], "at reading");
    executor.store_mut().unavailable = false;
    assert_eq!(lsn(&outcomes(executor.run(&requests).unwrap())[0]), Some(1));
}

#[test]
fn a_commit_without_an_answer_ends_in_the_right_one_by_its_command_id() {
    let mut executor = executor(&[Fault::StoredUnheard, Fault::LostUnheard]);
    let requests = envelopes([place(1, Some(10)), place(2, None)]);
    let outcomes_of_stored = outcomes(executor.run(&requests).unwrap());
    assert_eq!(lsn(&outcomes_of_stored[0]), Some(1), "it is remembered, so it was carried out");
    assert_eq!(outcomes_of_stored[1], refused(Refusal::OutcomeUnknown), "nothing tells");
    let lost = outcomes(executor.run(&envelopes([place(3, Some(11))])).unwrap());
    assert_eq!(lost, [refused(Refusal::OutcomeUnknown)]);
    assert_eq!(lsn(&outcomes(executor.run(&envelopes([place(3, Some(11))])).unwrap())[0]), Some(3));
}

#[test]
fn workers_hear_that_their_decisions_were_not_stored_and_try_again() {
    let inbox = Arc::new(DecisionInbox::new(Box::new(|| {})));
    let mut executor = executor(&[Fault::Conflict]);
    *executor.store_mut() = MemoryStore::new(BTreeMap::from([(Arc::from("mail"), Arc::clone(&inbox))]));
    executor.store_mut().faults.push_back(Fault::Conflict);
    let decision = |ticket| DecisionBatch { ticket, decisions: vec![registered()] };
    executor.run_with_decisions(&envelopes([place(1, None)]), vec![decision(4)]).unwrap();
    assert_eq!(Vec::from(inbox.take()), [DecisionNews::Full { ticket: 4 }]);
    executor.store_mut().unavailable = true;
    executor.run_with_decisions(&envelopes([place(2, None)]), vec![decision(5)]).unwrap();
    assert_eq!(Vec::from(inbox.take()), [DecisionNews::Full { ticket: 5 }]);
    executor.store_mut().unavailable = false;
    executor.run_with_decisions(&[], vec![decision(6)]).unwrap();
    assert!(executor.store().sink("mail").is_some());
}

fn registered() -> crate::contracts::Decision {
    use crate::contracts::{Decision, DecisionKind, Sequence, SinkStartPoint, SinkType};
    let start = SinkStartPoint {
        sink_type: SinkType::Subscription,
        after: Sequence::ZERO,
        snapshot: None,
        source: "/orderd".into(),
    };
    let at = Timestamp::from_micros(5).unwrap();
    Decision { sink: "mail".into(), at, uid: 0, reason: "".into(), kind: DecisionKind::Registered(start) }
}
