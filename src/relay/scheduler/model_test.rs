//! Random schedules against a naive model: a world of orders, a program that behaves badly, operators, an executor that
//! is late, and crashes. After every step the invariants of the module must hold.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::model_record_test::{Decided, Record};
use super::*;

#[path = "model_crash_test.rs"]
mod crash;
#[path = "model_limits_test.rs"]
mod limits;

const RUNS: u64 = 300;
const STEPS: usize = 1500;
const VERSIONS_MAX: usize = 6;

struct World {
    seed: u64,
    random: fastrand::Rng,
    limits: Limits,
    now: Duration,
    scheduler: Scheduler,
    /// All events: the order of each, from sequence 1 on.
    events: Vec<OrderId>,
    per_order: HashMap<OrderId, Vec<Sequence>>,
    /// Orders whose events the program cannot take at present.
    poison: HashMap<OrderId, u8>,
    record: Record,
    /// As far as the scheduler has heard of it.
    heard: Record,
    on_their_way: VecDeque<(Decided, bool)>,
    news: VecDeque<(Decided, bool)>,
    batch_left: usize,
    in_flight: BTreeMap<u64, HandOut>,
    answered: Vec<u64>,
    delivered: BTreeSet<Sequence>,
    saved: (Sequence, Vec<Sequence>),
    prefix: Sequence,
    /// How often each thing happened: a schedule in which it never does proves nothing.
    seen: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = limits::random(&mut random, seed);
        let scheduler = Scheduler::new(limits.clone(), Stored::default(), Duration::ZERO);
        Self {
            seed,
            random,
            limits,
            now: Duration::ZERO,
            scheduler,
            events: Vec::new(),
            per_order: HashMap::new(),
            poison: HashMap::new(),
            record: Record::default(),
            heard: Record::default(),
            on_their_way: VecDeque::new(),
            news: VecDeque::new(),
            batch_left: 0,
            in_flight: BTreeMap::new(),
            answered: Vec::new(),
            delivered: BTreeSet::new(),
            saved: (Sequence::ZERO, Vec::new()),
            prefix: Sequence::ZERO,
            seen: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        match self.random.u32(0..100) {
            0..=14 => self.append(),
            15..=29 => self.read(),
            30..=49 => self.hand_out(),
            50..=69 => self.answer(),
            70..=76 => self.now += Duration::from_millis(self.random.u64(0..60)),
            77..=82 => self.ask_for_decisions(),
            83..=88 => self.execute(),
            89..=94 => self.hear(),
            95 => self.operate(),
            96 => self.attach_or_detach(),
            97..=98 => self.save(),
            _ => {
                if self.random.u32(0..10) == 0 {
                    self.crash();
                }
            }
        }
        self.check();
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn append(&mut self) {
        let order_id = OrderId::new(Uuid::from_u128(u128::from(self.random.u64(0..25) + self.events.len() as u64 / 6)));
        let of_order = self.per_order.entry(order_id).or_default();
        if of_order.len() < VERSIONS_MAX {
            self.events.push(order_id);
            of_order.push(Sequence(self.events.len() as u64));
            if self.random.u32(0..6) == 0 {
                self.poison.insert(order_id, self.random.u8(0..4));
            }
        }
    }

    fn order_of(&self, sequence: Sequence) -> Option<OrderId> {
        self.events.get(usize::try_from(sequence.0).unwrap().checked_sub(1)?).copied()
    }

    fn read(&mut self) {
        for _ in 0..self.scheduler.wanted() {
            let Some(order_id) = self.order_of(self.scheduler.next_to_read()) else { break };
            self.scheduler.push(order_id, 10);
        }
    }

    fn hand_out(&mut self) {
        for _ in 0..self.random.usize(1..6) {
            let Some(out) = self.scheduler.next(self.now) else { return };
            self.count(if out.parked { "handed out of a parked lane" } else { "handed out" });
            if out.attempt == 1 && out.sequence > self.prefix.next() {
                self.count("out of order");
            }
            self.check_hand_out(&out);
            assert!(self.in_flight.insert(out.tag.0, out).is_none(), "seed {}", self.seed);
            assert!(self.in_flight.len() <= self.limits.in_flight_max, "seed {}", self.seed);
        }
    }

    fn check_hand_out(&self, out: &HandOut) {
        let seed = self.seed;
        assert_eq!(self.order_of(out.sequence), Some(out.order_id), "seed {seed}");
        assert!(!self.heard.paused, "seed {seed}: handed out while paused");
        assert!(self.in_flight.values().all(|other| other.order_id != out.order_id), "seed {seed}: two of one lane");
        for earlier in self.per_order[&out.order_id].iter().filter(|earlier| **earlier < out.sequence) {
            let passed = self.delivered.contains(earlier) || self.heard.is_skipped(*earlier);
            assert!(passed, "seed {seed}: {} of an order goes out before {earlier}", out.sequence);
        }
        match self.heard.lanes.get(&out.order_id) {
            Some((state, events)) => {
                let next = events.iter().find(|event| !self.delivered.contains(event) || **event == out.sequence);
                assert_eq!(next, Some(&out.sequence), "seed {seed}: a parked lane hands out something else");
                let goes_on = matches!(state, LaneState::Retrying | LaneState::Requeued);
                assert!(goes_on, "seed {seed}: a lane that waits for an operator hands out");
            }
            None => assert!(!self.heard.halted, "seed {seed}: something new goes out of a halted sink"),
        }
    }

    fn answer(&mut self) {
        let Some(tag) = self.random.choice(self.in_flight.keys().copied().collect::<Vec<_>>()) else { return };
        if self.random.u32(0..40) == 0 {
            self.unavailable();
            return;
        }
        if self.random.u32(0..20) == 0
            && let Some(tag) = self.answered.last()
        {
            assert!(self.scheduler.delivered(Tag(*tag), self.now).is_err(), "seed {}: answered twice", self.seed);
        }
        let out = self.in_flight.remove(&tag).unwrap();
        self.answered.push(tag);
        let reason: Arc<str> = Arc::from("told to");
        let behaviour = self.poison.get(&out.order_id).copied().unwrap_or(0);
        let result = match behaviour {
            1 => self.scheduler.failed(Tag(tag), &reason, None, self.now),
            2 if self.random.bool() => self.scheduler.rejected(Tag(tag), &reason, self.now),
            3 if self.random.bool() => self.scheduler.failed(Tag(tag), &reason, Some(Duration::ZERO), self.now),
            _ => {
                self.delivered.insert(out.sequence);
                self.scheduler.delivered(Tag(tag), self.now)
            }
        };
        assert_eq!(result, Ok(()), "seed {}", self.seed);
    }

    fn unavailable(&mut self) {
        self.scheduler.unavailable(&Arc::from("away"), None, self.random.bool(), self.now);
        let voided = std::mem::take(&mut self.in_flight);
        for tag in voided.keys().filter(|_| self.random.bool()).collect::<Vec<_>>() {
            assert_eq!(self.scheduler.delivered(Tag(*tag), self.now), Ok(()), "seed {}", self.seed);
        }
        self.count("unavailable");
    }

    fn ask_for_decisions(&mut self) {
        if self.batch_left > 0 || self.scheduler.wishes_due_at().is_none_or(|at| at > self.now) {
            return;
        }
        let most = self.random.usize(1..8);
        let wishes: Vec<Wish> = std::iter::from_fn(|| self.scheduler.take_wish()).take(most).collect();
        self.batch_left = wishes.len();
        self.on_their_way.extend(wishes.into_iter().map(|wish| (Decided::Wish(wish), true)));
    }

    fn execute(&mut self) {
        while let Some((decided, own)) = self.on_their_way.pop_front() {
            self.record.apply(&decided);
            self.count(match &decided {
                Decided::Wish(Wish::Park(wish)) if wish.events.is_empty() => "state changed",
                Decided::Wish(Wish::Park(wish)) => match wish.state {
                    LaneState::Retrying => "parked retrying",
                    LaneState::Rejected => "parked rejected",
                    LaneState::Held => "joined held",
                    LaneState::Requeued => "joined requeued",
                },
                Decided::Wish(Wish::Delivered(..)) => "parked delivered",
                Decided::Wish(Wish::Halt(_)) => "halted",
                Decided::Requeue(_)
                | Decided::Skip(..)
                | Decided::Park(..)
                | Decided::Range(..)
                | Decided::Pause
                | Decided::Resume => "other",
            });
            self.news.push_back((decided, own));
        }
    }

    fn hear(&mut self) {
        while let Some((decided, own)) = self.news.pop_front() {
            self.batch_left -= usize::from(own);
            self.heard.apply(&decided);
            let bytes = |events: &[Sequence]| events.iter().map(|event| (*event, 10)).collect::<Vec<_>>();
            let reason = Arc::from("decided");
            match decided {
                Decided::Wish(Wish::Park(wish)) => {
                    let events = bytes(&wish.events);
                    self.scheduler.parked(wish.order_id, wish.state, &wish.reason, &events, own, self.now);
                }
                Decided::Wish(Wish::Delivered(order, event)) => self.scheduler.delivered_durably(&[(order, event)]),
                Decided::Wish(Wish::Halt(_)) => self.scheduler.halted(),
                Decided::Park(order_id, events) => {
                    self.scheduler.parked(order_id, LaneState::Held, &reason, &bytes(&events), own, self.now);
                }
                Decided::Requeue(order_id) => self.scheduler.requeued(order_id),
                Decided::Skip(order_id, sequence) => self.scheduler.lane_skipped(order_id, sequence),
                Decided::Range(from, to) => self.scheduler.range_skipped(from, to),
                Decided::Pause => self.scheduler.paused(),
                Decided::Resume => self.scheduler.resumed(),
            }
            let scheduler = &self.scheduler;
            self.in_flight
                .retain(|_, out| scheduler.lane(out.order_id).is_some_and(|lane| lane.in_flight == Some(out.sequence)));
        }
    }

    /// As the executor does it: on what is durable, and on what the scheduler shows.
    fn operate(&mut self) {
        let lane = self.random.choice(self.record.lanes.iter());
        let lane = lane.map(|(order_id, (_, events))| (*order_id, events[0]));
        let decided = match self.random.u32(0..7) {
            0 => Some(Decided::Pause),
            1 | 2 => Some(Decided::Resume),
            3 => lane.map(|(order_id, _)| Decided::Requeue(order_id)),
            4 => lane.map(|(order_id, first)| Decided::Skip(order_id, first)),
            5 if self.random.u32(0..6) == 0 => {
                let from = self.scheduler.prefix().next();
                let to = Sequence(from.0 + self.random.u64(0..40)).min(Sequence(self.events.len() as u64));
                (to >= from).then_some(Decided::Range(from, to))
            }
            _ => self.park_by_hand(),
        };
        if let Some(decided) = decided {
            self.count(match decided {
                Decided::Range(..) => "range skipped",
                Decided::Skip(..) => "lane skipped",
                Decided::Requeue(_) => "requeued",
                Decided::Park(..) => "parked by hand",
                Decided::Pause | Decided::Resume | Decided::Wish(_) => "paused or resumed",
            });
            self.record.apply(&decided);
            self.news.push_back((decided, false));
        }
    }

    fn park_by_hand(&self) -> Option<Decided> {
        let order_id = *self.events.last()?;
        let waits = |sequence: &Sequence| {
            let settled = self.scheduler.event(*sequence).state == crate::contracts::EventState::Settled;
            !settled && !self.record.is_skipped(*sequence) && !self.record.is_parked(order_id, *sequence)
        };
        let last_parked = self.record.lanes.get(&order_id).and_then(|(_, events)| events.back().copied());
        let events: Vec<_> = self.per_order[&order_id].iter().copied().filter(waits).collect();
        let later = events.iter().all(|event| last_parked.is_none_or(|last| last < *event));
        (!events.is_empty() && later).then_some(Decided::Park(order_id, events))
    }

    fn attach_or_detach(&mut self) {
        if self.scheduler.is_attached() {
            self.scheduler.detach(&Arc::from("gone"), self.now);
            self.in_flight.clear();
        } else {
            self.scheduler.attach(self.random.usize(1..20));
        }
        self.answered.clear();
    }

    fn check(&mut self) {
        let (seed, prefix) = (self.seed, self.scheduler.prefix());
        assert!(prefix >= self.prefix, "seed {seed}: the prefix went back");
        while self.prefix < prefix {
            self.prefix = self.prefix.next();
            let settled = self.delivered.contains(&self.prefix)
                || self.record.is_skipped(self.prefix)
                || self.order_of(self.prefix).is_some_and(|order_id| self.record.is_parked(order_id, self.prefix));
            assert!(settled, "seed {seed}: the prefix passed {} without reason", self.prefix);
        }
        assert_eq!(self.scheduler.standing().in_flight, self.in_flight.len() as u64, "seed {seed}");
        self.heard.check_counts(&self.scheduler.standing(), seed);
    }

    /// From here on everybody behaves, and everything must come to its end.
    fn finish(&mut self) {
        self.poison.clear();
        for _ in 0..20_000 {
            if !self.scheduler.is_attached() {
                self.scheduler.attach(8);
            }
            self.execute();
            self.hear();
            if self.record.paused || self.record.halted {
                self.record.apply(&Decided::Resume);
                self.news.push_back((Decided::Resume, false));
            }
            let waiting =
                |(state, _): &(LaneState, VecDeque<Sequence>)| matches!(state, LaneState::Held | LaneState::Rejected);
            for order_id in self.record.lanes.iter().filter(|(_, lane)| waiting(lane)).map(|(id, _)| *id) {
                self.news.push_back((Decided::Requeue(order_id), false));
            }
            self.news.iter().for_each(|(decided, _)| {
                if let Decided::Requeue(_) = decided {
                    self.record.apply(decided);
                }
            });
            self.read();
            self.hand_out();
            while let Some((tag, out)) = self.in_flight.pop_first() {
                self.delivered.insert(out.sequence);
                self.scheduler.delivered(Tag(tag), self.now).unwrap();
            }
            self.ask_for_decisions();
            self.now += Duration::from_millis(20);
            self.check();
            if self.prefix == Sequence(self.events.len() as u64) && self.record.lanes.is_empty() && self.news.is_empty()
            {
                break;
            }
        }
        let (seed, last) = (self.seed, self.events.len() as u64);
        assert_eq!(self.prefix, Sequence(last), "seed {seed}: not everything is settled");
        assert!(self.record.lanes.is_empty(), "seed {seed}: lanes are left: {:?}", self.record.lanes);
        for sequence in (1..=last).map(Sequence) {
            let ended = self.delivered.contains(&sequence) || self.record.is_skipped(sequence);
            assert!(ended, "seed {seed}: event {sequence} was neither delivered nor skipped");
        }
    }
}

#[test]
fn random_schedules_keep_the_invariants() {
    let first = std::env::var("ORDERD_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first.map_or(0..RUNS, |seed| seed..seed + 1) {
        let mut world = World::new(seed);
        println!("seed {seed}");
        world.scheduler.attach(8);
        (0..STEPS).for_each(|_| world.step());
        world.finish();
        for (what, count) in world.seen {
            *seen.entry(what).or_default() += count;
        }
    }
    println!("{seen:#?}");
    assert!(first.is_some() || seen.len() >= 16 && seen.values().all(|count| *count > RUNS / 10), "{seen:#?}");
}
