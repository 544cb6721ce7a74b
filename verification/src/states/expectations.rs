//! What is certain at each moment of a script, so that any of them can be the last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::environment::SinkSetup;
use crate::fingerprint::Fingerprint;
use crate::model::Model;
use crate::oracle::Unanswered;
use crate::sink::look;

/// What somebody outside of the daemon knows.
#[derive(Clone)]
pub struct Standing {
    /// What was answered.
    pub model: Arc<Model>,
    /// What was sent and not answered.
    pub unanswered: Arc<Vec<Unanswered>>,
    /// The sinks; at a moment of the past, what they had then.
    pub sinks: Vec<SinkSetup>,
    /// The most that the disk holds.
    pub capacity: Option<u64>,
    /// The daemon was stopped, and said that all is saved.
    pub stopped: bool,
    /// The backup, once one was begun.
    pub backup: Option<BackupStanding>,
}

/// What is known of a backup and of the store that is made of it.
#[derive(Clone, Default)]
pub struct BackupStanding {
    /// What it must hold, once its position was named.
    pub holds: Option<Arc<Model>>,
    /// Whether `orderd backup` was done.
    pub is_done: bool,
    /// Whether `orderd restore` was done.
    pub is_restored: bool,
}

impl BackupStanding {
    /// Other for another one.
    fn fact(&self) -> u64 {
        let lsn = self.holds.as_ref().map_or(0, |model| model.last_lsn.0 + 1);
        lsn * 4 + u64::from(self.is_done) * 2 + u64::from(self.is_restored) + 1
    }
}

impl Standing {
    /// Before anything happened.
    pub fn new(model: Model) -> Self {
        let model = Arc::new(model);
        Self { model, unanswered: Arc::default(), sinks: Vec::new(), capacity: None, stopped: false, backup: None }
    }

    /// The same, with consumers of its own that go on from here.
    pub fn copy(&self) -> Self {
        let mut copy = self.clone();
        for sink in &mut copy.sinks {
            let consumer = look(&sink.consumer).copy();
            sink.consumer = Arc::new(Mutex::new(consumer));
        }
        copy
    }

    /// Of everything but the consumers.
    fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for plan in &self.model.plans {
            fingerprint.add_bytes(&plan.line);
        }
        fingerprint.add(self.unanswered.len() as u64);
        for unanswered in self.unanswered.iter() {
            fingerprint.add_bytes(format!("{unanswered:?}").as_bytes());
        }
        fingerprint.add(self.capacity.unwrap_or(u64::MAX));
        fingerprint.add(u64::from(self.stopped));
        fingerprint.add(self.backup.as_ref().map_or(0, BackupStanding::fact));
        fingerprint
    }
}

/// A moment of a script.
pub struct Moment {
    /// What was known.
    pub standing: Standing,
    /// Of it.
    pub fingerprint: u64,
}

/// Keeps what is known now, and what was known when something was recorded.
pub struct Expectations {
    now: Standing,
    /// Of all but the consumers; none while it is to be computed.
    fingerprint: Option<Fingerprint>,
    moments: Vec<Arc<Moment>>,
}

/// A ledger, shared between the script and the disk that it runs on.
pub type SharedLedger = Arc<Mutex<Expectations>>;

impl Expectations {
    /// A ledger that begins with this.
    pub fn shared(now: Standing) -> SharedLedger {
        Arc::new(Mutex::new(Self { now, fingerprint: None, moments: Vec::new() }))
    }

    /// What is known has changed.
    pub fn change(&mut self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.now);
        self.fingerprint = None;
    }

    /// What is known now.
    pub const fn now(&self) -> &Standing {
        &self.now
    }

    /// The number of this moment.
    pub fn witness(&mut self) -> usize {
        let mut fingerprint = *self.fingerprint.get_or_insert_with(|| self.now.fingerprint());
        for sink in &self.now.sinks {
            let consumer = look(&sink.consumer);
            fingerprint.add_bytes(sink.name.as_bytes());
            let facts = [consumer.base, consumer.last(), consumer.acknowledged, consumer.run_acknowledged];
            facts.into_iter().for_each(|fact| fingerprint.add(fact));
        }
        let fingerprint = fingerprint.value();
        if self.moments.last().is_none_or(|last| last.fingerprint != fingerprint) {
            self.moments.push(Arc::new(Moment { standing: self.now.copy(), fingerprint }));
        }
        self.moments.len() - 1
    }

    /// The moments that were witnessed.
    pub fn take_moments(&mut self) -> Vec<Arc<Moment>> {
        std::mem::take(&mut self.moments)
    }
}

/// Opens a ledger.
pub fn open(ledger: &SharedLedger) -> MutexGuard<'_, Expectations> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
