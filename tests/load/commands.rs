//! What the clients ask for: mixes of all commands, on orders that all clients share.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Rng;
use crate::history::Request;
use crate::support::request;

/// Orders that commands choose from: few enough to be met again, by several clients at once.
const KNOWN_MAX: usize = 400;

/// One command, to be sent as often as it takes.
#[derive(Clone, Debug)]
pub struct Command {
    pub request: Request,
    pub command_id: Option<String>,
}

impl Command {
    /// A new order of a new customer.
    pub fn new_order(rng: &mut Rng) -> Command {
        let order_id = Some(rng.uuid());
        let request = Request::Place { order_id, customer_id: rng.uuid(), total_amount: 1 };
        Command { request, command_id: Some(rng.uuid()) }
    }

    /// The request line without its end.
    pub fn line(&self, id: u64) -> String {
        let (method, mut params) = match &self.request {
            Request::Place { order_id, customer_id, total_amount } => {
                let mut params = json!({"customer_id": customer_id, "total_amount": total_amount});
                if let Some(order_id) = order_id {
                    params["order_id"] = order_id.as_str().into();
                }
                ("order.place", params)
            }
            Request::Complete { order_id } => ("order.complete", json!({"order_id": order_id})),
            Request::Cancel { order_id, reason } => {
                let mut params = json!({"order_id": order_id});
                if let Some(reason) = reason {
                    params["reason"] = reason.as_str().into();
                }
                ("order.cancel", params)
            }
            Request::Get { order_id } => ("order.get", json!({"order_id": order_id})),
        };
        if let Some(command_id) = &self.command_id {
            params["command_id"] = Value::from(command_id.as_str());
        }
        request(&json!(id), method, &params)
    }

    /// A read can be sent again without an id; a command cannot.
    pub fn may_be_sent_again(&self) -> bool {
        self.command_id.is_some()
    }
}

/// Where one client's commands come from.
pub struct Commands {
    rng: Rng,
    known: Arc<Mutex<Vec<String>>>,
    /// Commands of before, to be sent again although they were answered, or misused.
    before: Vec<Command>,
}

impl Commands {
    pub fn new(rng: Rng, known: Arc<Mutex<Vec<String>>>) -> Commands {
        Commands { rng, known, before: Vec::new() }
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    pub fn next(&mut self) -> Command {
        let choice = self.rng.below(100);
        match choice {
            0..44 => self.place(),
            44..66 => {
                let order_id = self.order();
                self.command(Request::Complete { order_id })
            }
            66..80 => {
                let order_id = self.order();
                let reason = self.reason();
                self.command(Request::Cancel { order_id, reason })
            }
            80..95 => {
                let order_id = self.order();
                Command { request: Request::Get { order_id }, command_id: None }
            }
            95..98 => self.again(),
            _ => self.misused(),
        }
    }

    fn place(&mut self) -> Command {
        let order_id = match self.rng.below(10) {
            0 => None,
            1 => Some(self.order()),
            _ => Some(self.rng.uuid()),
        };
        if let Some(order_id) = &order_id {
            self.learn(order_id.clone());
        }
        let request = Request::Place {
            order_id,
            // A customer of its own makes every place recognisable.
            customer_id: self.rng.uuid(),
            total_amount: self.rng.below(1_000_000),
        };
        self.command(request)
    }

    fn command(&mut self, request: Request) -> Command {
        let command_id = if self.rng.chance(95) { Some(self.rng.uuid()) } else { None };
        let command = Command { request, command_id };
        if command.may_be_sent_again() {
            let slot = usize::try_from(self.rng.below(64)).expect("a small number");
            match self.before.get_mut(slot) {
                Some(before) => *before = command.clone(),
                None => self.before.push(command.clone()),
            }
        }
        command
    }

    /// A command of before, whatever became of it.
    fn again(&mut self) -> Command {
        match self.pick_before() {
            Some(before) => before,
            None => self.place(),
        }
    }

    /// The id of a command of before, with other content.
    fn misused(&mut self) -> Command {
        let mut command = self.place();
        if let Some(before) = self.pick_before() {
            command.command_id = before.command_id;
        }
        command
    }

    fn pick_before(&mut self) -> Option<Command> {
        if self.before.is_empty() {
            return None;
        }
        let slot = usize::try_from(self.rng.below(self.before.len() as u64)).expect("a small number");
        self.before.get(slot).cloned()
    }

    fn reason(&mut self) -> Option<String> {
        match self.rng.below(4) {
            0 => None,
            1 => Some("\"späť\" \\ \u{1F9FE}\n\tand then some".to_owned()),
            _ => Some(format!("reason {}", self.rng.below(1000))),
        }
    }

    /// An order that some client has spoken of, or one that does not exist.
    fn order(&mut self) -> String {
        let known = self.known.lock().expect("the orders");
        if known.is_empty() || self.rng.chance(3) {
            return self.rng.uuid();
        }
        // The newest are chosen most: they are the ones still under way.
        let count = known.len() as u64;
        let slot = self.rng.below(count).max(self.rng.below(count));
        known[usize::try_from(slot).expect("a small number")].clone()
    }

    fn learn(&mut self, order_id: String) {
        let mut known = self.known.lock().expect("the orders");
        if known.len() == KNOWN_MAX {
            known.remove(0);
        }
        known.push(order_id);
    }
}
