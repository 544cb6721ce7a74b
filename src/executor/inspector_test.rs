//! Long reads on a thread of their own, through the loop that the daemon runs.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{never, unbounded};

use super::operate::testing::{Bench, envelope, order};
use super::{CommandLoop, Inspector};
use crate::contracts::{
    Lsn, OperatorRequest, OperatorResult, Outcome, PlanStore, Request, RequestClass, StatusModel, request_queue,
};

#[test]
fn what_the_inspector_reads_is_answered_beside_the_commands() {
    let mut bench = Bench::new();
    bench.place(1);
    let (inspector, handle) = Inspector::new();
    bench.executor.inspect_with(handle);
    let inspecting = std::thread::Builder::new().spawn(|| inspector.run()).unwrap();
    let ((requests, taken), (sent, answers)) = (request_queue(8, 8), unbounded());
    let command_loop = CommandLoop {
        requests: taken,
        decisions: never(),
        tasks: never(),
        answers: sent,
        status: Arc::new(StatusModel::new(bench.executor.store().status(), 0)),
        answers_ready: Box::new(|| {}),
        more_is_durable: Box::new(|| {}),
        heartbeat: Arc::default(),
    };
    let running = std::thread::Builder::new().spawn(|| command_loop.run(bench.executor)).unwrap();
    let list = OperatorRequest::DecisionList { after_lsn: Lsn::ZERO, limit: 100 };
    requests.send(RequestClass::Express, envelope(1, Request::Operate(Box::new(list)))).unwrap();
    requests.send(RequestClass::Express, envelope(2, Request::Get { order_id: order(1) })).unwrap();
    let mut received = Vec::new();
    while received.len() < 2 {
        received.extend(answers.recv_timeout(Duration::from_secs(60)).unwrap());
    }
    received.sort_by_key(|answer| answer.ticket);
    let [list, get] = received.try_into().unwrap();
    let Outcome::Operated(result) = list.outcome else { panic!("{list:?}") };
    assert!(matches!(*result, OperatorResult::Decisions { decisions, next: None } if decisions.len() == 4));
    assert!(matches!(get.outcome, Outcome::Found(_)), "{get:?}");
    drop(requests);
    drop(running.join().unwrap().unwrap());
    inspecting.join().unwrap();
}
