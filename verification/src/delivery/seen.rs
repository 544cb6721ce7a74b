//! What a run must have seen sometimes: misbehaviour that never comes proves nothing.

use std::collections::BTreeMap;

macro_rules! things {
    ($($name:ident: $text:literal,)+) => {
        /// Something that happens sometimes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Thing {
            $(#[doc = $text] $name,)+
        }

        impl Thing {
            /// Every one, with what it says.
            pub const ALL: &[(Self, &str)] = &[$((Self::$name, $text),)+];
        }
    };
}

things! {
    Failed: "an event failed",
    Rejected: "an event was rejected",
    Unavailable: "the target was unavailable",
    AnsweredLate: "a tag was answered that counts for nothing any more",
    AnsweredTwice: "a tag was answered twice",
    Vanished: "the program went away without a word",
    TakenOver: "another program took over, and the first one went on talking",
    Closed: "the daemon closed the connection",
    ParkedByHand: "an operator parked a lane",
    Requeued: "an operator requeued lanes",
    SkippedFirst: "an operator skipped the first event of a lane",
    SkippedTo: "an operator skipped what was not delivered",
    Paused: "an operator paused the sink",
    ReplayStarted: "an operator started a replay",
    Replayed: "a replay handed something out",
    Halted: "the sink halted",
    Row: "an order of a snapshot was handed out",
    RowParked: "an order of a snapshot was parked",
    RowHeld: "an order of a snapshot was parked by hand",
    SnapshotPassed: "an operator skipped what was left of a snapshot",
    SnapshotResumed: "a start went on in the midst of a snapshot",
    Checkpoint: "a checkpoint was written",
    Killed: "the daemon was killed",
    PowerCut: "the power was cut",
}

/// How often each was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen(BTreeMap<Thing, u64>);

impl Seen {
    /// It was seen.
    pub fn hit(&mut self, thing: Thing) {
        *self.0.entry(thing).or_default() += 1;
    }

    /// It was seen if `seen`.
    pub fn hit_if(&mut self, thing: Thing, seen: bool) {
        if seen {
            self.hit(thing);
        }
    }

    /// Takes in what another run has seen.
    pub fn join(&mut self, other: &Self) {
        for (thing, count) in &other.0 {
            *self.0.entry(*thing).or_default() += count;
        }
    }

    /// How often each was seen, and what it says.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &'static str)> + '_ {
        Thing::ALL.iter().map(|(thing, text)| (self.0.get(thing).copied().unwrap_or(0), *text))
    }
}
