//! Histories made by hand: a daemon that does everything right, and its recorder.

use serde_json::json;

use super::record::{Call, Delivery, Dump, History, Moment, Order, Outcome, Plan, Refusal, Request, Seen};

/// A daemon that does everything right, and its recorder.
#[derive(Default)]
pub(super) struct HistoryBuilder {
    pub history: History,
    plans: Vec<Plan>,
    clock: Moment,
    connection: u64,
    position: u64,
}

impl HistoryBuilder {
    pub(super) fn new() -> HistoryBuilder {
        let mut story = HistoryBuilder::default();
        story.history.redelivered_max = 2;
        story
    }

    pub(super) fn now(&mut self) -> Moment {
        self.clock += 1;
        self.clock
    }

    /// Does it, tells the sink, answers.
    pub(super) fn done(&mut self, request: Request, command: &str) -> u64 {
        let invoked = self.now();
        let plan = self.effect(&request);
        self.answered(invoked, request, command, plan, false)
    }

    /// Does it, tells the sink, and dies before it answers.
    pub(super) fn done_unanswered(&mut self, request: Request, command: &str) -> u64 {
        let invoked = self.now();
        let plan = self.effect(&request);
        self.push(invoked, request, Some(command), Outcome::Unknown);
        plan.lsn
    }

    /// Dies before it does anything.
    pub(super) fn unanswered(&mut self, request: Request, command: &str) {
        let invoked = self.now();
        self.push(invoked, request, Some(command), Outcome::Unknown);
    }

    /// Answers again what it answered, or did, before.
    pub(super) fn again(&mut self, request: Request, command: &str, lsn: u64) {
        let invoked = self.now();
        let plan = self.plans.iter().find(|plan| plan.lsn == lsn).expect("a plan").clone();
        self.answered(invoked, request, command, plan, true);
    }

    pub(super) fn refused(&mut self, request: Request, command: &str, refusal: Refusal) {
        let invoked = self.now();
        let at = self.now();
        self.push(invoked, request, Some(command), Outcome::Refused { at, refusal });
    }

    pub(super) fn read(&mut self, order: u64) {
        let invoked = self.now();
        let order = self.newest(&id(order)).expect("the order").clone();
        let at = self.now();
        let order_id = order.order_id.clone();
        self.push(invoked, Request::Get { order_id }, None, Outcome::Read { at, order });
    }

    pub(super) fn status(&mut self) {
        let seen = Seen {
            invoked: self.now(),
            durable_lsn: self.plans.len() as u64,
            last_sequence: self.plans.len() as u64,
            acked_sequence: self.history.deliveries.len().min(self.plans.len()) as u64,
        };
        self.history.seen.push(seen);
    }

    /// The end of a life; the next one takes a dump and delivers the last `again` events again.
    pub(super) fn kill(&mut self, again: usize) {
        let death = self.now();
        self.history.deaths.push(death);
        self.dump();
        let life = self.life();
        for plan in &self.plans[self.plans.len() - again..] {
            let text = plan.events[0].clone();
            self.history.deliveries.push(Delivery { life, text });
        }
        self.connection += 1;
        self.position = 0;
    }

    pub(super) fn finish(mut self) -> History {
        self.dump();
        self.history
    }

    pub(super) fn life(&self) -> usize {
        self.history.deaths.len()
    }

    fn dump(&mut self) {
        let dump = Dump { at: self.now(), life: self.life(), plans: self.plans.clone() };
        self.history.dumps.push(dump);
    }

    fn answered(&mut self, invoked: Moment, request: Request, command: &str, plan: Plan, duplicate: bool) -> u64 {
        let lsn = plan.lsn;
        let outcome = Outcome::Done { at: self.now(), order: plan.order.expect("a whole plan"), lsn, duplicate };
        self.push(invoked, request, Some(command), outcome);
        lsn
    }

    fn push(&mut self, invoked: Moment, request: Request, command: Option<&str>, outcome: Outcome) {
        self.position += 1;
        self.history.calls.push(Call {
            connection: self.connection,
            position: self.position,
            request,
            command_id: command.map(str::to_owned),
            invoked,
            outcome,
        });
    }

    fn newest(&self, order_id: &str) -> Option<&Order> {
        let orders = self.plans.iter().filter_map(|plan| plan.order.as_ref());
        orders.rev().find(|order| order.order_id == order_id)
    }

    fn effect(&mut self, request: &Request) -> Plan {
        let lsn = self.plans.len() as u64 + 1;
        let order = self.changed(request, lsn);
        let reason = match request {
            Request::Cancel { reason, .. } => reason.clone(),
            _ => None,
        };
        let plan = Plan { lsn, events: vec![event_text(&order, lsn, reason.as_deref())], order: Some(order) };
        let text = plan.events[0].clone();
        let life = self.life();
        self.history.deliveries.push(Delivery { life, text });
        self.plans.push(plan.clone());
        plan
    }

    fn changed(&self, request: &Request, lsn: u64) -> Order {
        let before = request.order_id().and_then(|id| self.newest(id)).cloned();
        match request {
            Request::Place { order_id, customer_id, total_amount } => Order {
                order_id: order_id.clone().unwrap_or_else(|| id(900 + lsn)),
                customer_id: customer_id.clone(),
                total_amount: *total_amount,
                status: "placed".into(),
                version: 1,
                placed_at: time(lsn),
                completed_at: None,
                cancelled_at: None,
            },
            Request::Complete { .. } => {
                let before = before.expect("the order");
                Order {
                    status: "completed".into(),
                    version: before.version + 1,
                    completed_at: Some(time(lsn)),
                    ..before
                }
            }
            Request::Cancel { .. } => {
                let before = before.expect("the order");
                Order {
                    status: "cancelled".into(),
                    version: before.version + 1,
                    cancelled_at: Some(time(lsn)),
                    ..before
                }
            }
            Request::Get { .. } => panic!("a read has no effect"),
        }
    }
}

/// The `number`th id.
pub(super) fn id(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

pub(super) fn time(lsn: u64) -> String {
    format!("2026-01-01T00:00:00.{lsn:06}Z")
}

pub(super) fn place(order: u64) -> Request {
    Request::Place { order_id: Some(id(order)), customer_id: id(100 + order), total_amount: order * 10 }
}

pub(super) fn complete(order: u64) -> Request {
    Request::Complete { order_id: id(order) }
}

pub(super) fn cancel(order: u64) -> Request {
    Request::Cancel { order_id: id(order), reason: Some("late".into()) }
}

pub(super) fn event_text(order: &Order, sequence: u64, reason: Option<&str>) -> String {
    let (kind, time) = match order.status.as_str() {
        "placed" => ("OrderPlaced", order.placed_at.clone()),
        "completed" => ("OrderCompleted", order.completed_at.clone().expect("its time")),
        _ => ("OrderCancelled", order.cancelled_at.clone().expect("its time")),
    };
    let mut data = json!({
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "total_amount": order.total_amount,
        format!("{}_at", order.status): time,
    });
    if order.status == "cancelled" {
        let from = order.completed_at.as_ref().map_or("placed", |_| "completed");
        data["cancelled_from"] = from.into();
        data["reason"] = reason.into();
    }
    json!({
        "specversion": "1.0",
        "id": id(1000 + sequence),
        "source": "/orderd",
        "type": kind,
        "subject": order.order_id,
        "time": time,
        "datacontenttype": "application/json",
        "partitionkey": order.order_id,
        "sequence": format!("{sequence:020}"),
        "orderversion": order.version,
        "data": data,
    })
    .to_string()
}
