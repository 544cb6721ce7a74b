//! The program that misbehaves: it fails, rejects, vanishes, answers late and twice, and notes everything.

use std::time::Duration;

use serde_json::json;

use super::any;
use crate::load::Rng;
use crate::support::{HandedOut, Program, Store, pause};

/// What the program was handed and what it said, in the order in which that happened, over all lives.
#[derive(Default)]
pub struct Notes {
    pub noted: Vec<Note>,
}

pub enum Note {
    /// A connection begins; the one before counts for nothing any more.
    Attached,
    HandedOut(HandedOut),
    /// It has the event of this tag, and says so.
    Delivered(u64),
    Failed(u64),
    Rejected(u64),
    /// Whatever is unanswered was not delivered.
    Unavailable,
    Vanished,
    TakenOver,
    /// The daemon closed the connection: what was said last may not have been heard.
    Closed,
    Killed,
}

impl Notes {
    fn note(&mut self, note: Note) {
        self.noted.push(note);
    }

    pub fn attached(&mut self) {
        self.note(Note::Attached);
    }

    pub fn handed_out(&mut self, out: HandedOut) {
        self.note(Note::HandedOut(out));
    }

    pub fn delivered(&mut self, tag: u64) {
        self.note(Note::Delivered(tag));
    }

    pub fn killed(&mut self) {
        self.note(Note::Killed);
    }
}

/// One life's program.
pub struct Consumer<'a> {
    store: &'a Store,
    notes: &'a mut Notes,
    rng: Rng,
    program: Option<Program>,
    /// Handed out and not answered.
    held: Vec<HandedOut>,
    /// Answered on this connection.
    answered: Vec<u64>,
    /// Void since it called the target unavailable.
    voided: Vec<u64>,
}

/// It answers at the latest when it holds this many.
const HELD_MAX: usize = 5;

impl<'a> Consumer<'a> {
    pub fn new(store: &'a Store, notes: &'a mut Notes, rng: Rng) -> Consumer<'a> {
        let (held, answered, voided) = (Vec::new(), Vec::new(), Vec::new());
        Consumer { store, notes, rng, program: None, held, answered, voided }
    }

    /// Takes events until the daemon is gone.
    pub fn work(mut self) {
        while self.attach(false) {
            while let Some(out) = self.program.as_mut().and_then(Program::try_event) {
                self.notes.handed_out(out.clone());
                self.held.push(out);
                if self.program.is_none() || !self.act() {
                    break;
                }
            }
            if self.program.take().is_some() {
                self.notes.note(Note::Closed);
            }
        }
    }

    /// Attaches; `false` if the daemon is gone.
    fn attach(&mut self, take_over: bool) -> bool {
        let attached = loop {
            match Program::attach_if_there(self.store, &json!({"sink": "bus", "take_over": take_over})) {
                // The one before has not detached yet.
                Some(Err(error)) if error["data"]["retryable"] == true => pause(Duration::from_millis(1)),
                other => break other,
            }
        };
        let Some(attached) = attached else { return false };
        self.program = Some(attached.unwrap_or_else(|error| panic!("it may attach: {error}")));
        (self.held, self.answered, self.voided) = (Vec::new(), Vec::new(), Vec::new());
        self.notes.attached();
        true
    }

    /// Does one thing; `false` if the connection is over.
    fn act(&mut self) -> bool {
        match self.rng.below(200) {
            0..=1 => self.call_unavailable(),
            2 => {
                self.notes.note(Note::Vanished);
                self.program = None;
                return false;
            }
            3 => {
                // The first one goes on talking, and nobody listens.
                let mut old = self.program.take();
                let unanswered: Vec<u64> = self.held.iter().map(|out| out.tag).collect();
                self.notes.note(Note::TakenOver);
                if !self.attach(true) {
                    return false;
                }
                if let Some(old) = &mut old {
                    old.try_say("delivered", json!({"tags": unanswered}));
                }
            }
            4 => self.answer_twice(),
            5..=9 => self.answer_late(),
            10..=59 if self.held.len() < HELD_MAX => {}
            _ => self.answer_one(),
        }
        true
    }

    fn say(&mut self, method: &str, params: serde_json::Value) {
        if let Some(program) = &mut self.program {
            program.try_say(method, params);
        }
    }

    fn call_unavailable(&mut self) {
        let blocked = self.rng.chance(30);
        self.voided.extend(self.held.drain(..).map(|out| out.tag));
        self.notes.note(Note::Unavailable);
        self.say("unavailable", json!({"reason": "away", "blocked": blocked, "retry_after_ms": 2}));
    }

    /// The target has it not: the daemon knows that such an answer counts for nothing.
    fn answer_late(&mut self) {
        if let Some(tag) = self.voided.pop() {
            self.say("delivered", json!({"tags": [tag]}));
        }
    }

    /// Closes the connection.
    fn answer_twice(&mut self) {
        if let Some(tag) = self.answered.pop() {
            self.say("delivered", json!({"tags": [tag]}));
        }
    }

    fn answer_one(&mut self) {
        let Some(out) = any(&self.held, &mut self.rng).cloned() else { return };
        let tag = out.tag;
        self.held.retain(|held| held.tag != tag);
        let chance = self.rng.below(100);
        match (is_poison(&out.order_id), chance) {
            (true, 0..=79) | (false, 0) => {
                self.notes.note(Note::Rejected(tag));
                self.say("rejected", json!({"tag": tag, "reason": "never"}));
            }
            (_, 0..=8) => {
                self.notes.note(Note::Failed(tag));
                self.say("failed", json!({"tag": tag, "reason": "not now"}));
            }
            _ => {
                // Once it is said, it may have been heard.
                self.notes.delivered(tag);
                self.say("delivered", json!({"tags": [tag]}));
            }
        }
        self.answered.push(tag);
    }
}

/// One order in eight.
fn is_poison(order_id: &str) -> bool {
    order_id.ends_with(['0', '1'])
}
