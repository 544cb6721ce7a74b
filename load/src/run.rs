//! The load run itself: one thread, one epoll set, no work a command that could be done once.
//!
//! The run shares its processors with the server it measures. So it is one loop over all connections, it reads the
//! clock once a wake-up instead of once a command, and it sends nothing that it has to compute from an answer.

use super::connection::{Connection, Flushed};
use super::dialect::{Dialect, Verdict};
use super::error::{LoadError, SILENCE_MAX};
use super::load::{End, Load};
use super::pace::Pace;
use super::report::{Report, Tally};
use rustix::event::epoll;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a run looks like from the outside while it goes on.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the start, warm-up included.
    pub elapsed: Duration,
    /// Answered commands since the start.
    pub answered: u64,
}

const PROGRESS_EVERY_NS: u64 = 200_000_000;
/// How long after the end of a run with a rate commands are still sent that were due before it.
const LATE_MAX_NS: u64 = 10_000_000_000;
const EVENTS_MAX: usize = 256;

/// Runs the load against the server behind `socket`; `watch` is called a few times a second.
pub fn drive<D: Dialect>(
    load: &Load,
    socket: &Path,
    dialect: &mut D,
    watch: &mut dyn FnMut(Progress),
) -> Result<Report, LoadError> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(LoadError::socket("watch"))?;
    let mut connections = Vec::with_capacity(load.connections);
    for index in 0..load.connections {
        let connection = Connection::open(socket, load.mix)?;
        epoll::add(&epoll, &connection, token(index), epoll::EventFlags::IN).map_err(LoadError::socket("watch"))?;
        connections.push(connection);
    }
    let start = Instant::now();
    let mut run = Run {
        load,
        dialect,
        epoll,
        connections,
        start,
        pace: load.rate.map(|rate| Pace::new(rate, load.connections)),
        tally: Tally::new(
            nanos(load.warmup),
            match load.end {
                End::After(time) => nanos(load.warmup.saturating_add(time)),
                End::Commands(_) => u64::MAX,
            },
        )?,
        sent: 0,
        orders: Numbers::default(),
        blocked: vec![false; load.connections],
    };
    run.go(watch)?;
    let unsent = run.pace.map_or(0, |pace| match load.end {
        End::After(_) => pace.left(run.tally.end_ns()),
        End::Commands(_) => 0,
    });
    Ok(run.tally.report(load, unsent))
}

struct Run<'a, D> {
    load: &'a Load,
    dialect: &'a mut D,
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    start: Instant,
    pace: Option<Pace>,
    tally: Tally,
    sent: u64,
    orders: Numbers,
    /// By connection: its socket is full, and epoll tells when it is not.
    blocked: Vec<bool>,
}

/// Numbers for new orders: without gaps, so that what a run has made can be found again.
#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    /// Of orders whose placing was refused.
    free: Vec<u64>,
}

impl Numbers {
    fn take(&mut self) -> u64 {
        self.free.pop().unwrap_or_else(|| {
            let number = self.next;
            self.next = self.next.saturating_add(1);
            number
        })
    }

    fn give_back(&mut self, number: u64) {
        self.free.push(number);
    }
}

/// An order of this name was there before: another one has to be tried.
const TAKEN: &str = "order_exists";

impl<D: Dialect> Run<'_, D> {
    fn go(&mut self, watch: &mut dyn FnMut(Progress)) -> Result<(), LoadError> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        let (mut heard_ns, mut shown_ns) = (0, 0);
        for index in 0..self.connections.len() {
            self.send_from(index, self.now_ns())?;
        }
        loop {
            let in_flight: usize = self.connections.iter().map(Connection::in_flight).sum();
            let sending = self.sending(self.now_ns());
            if !sending && in_flight == 0 {
                return Ok(());
            }
            events.clear();
            let wait = self.wait(sending);
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(LoadError::socket("watch")(error)),
            }
            let now_ns = self.now_ns();
            for event in &events {
                let epoll::Event { flags, data, .. } = *event;
                let index = usize::try_from(data.u64()).unwrap_or(usize::MAX);
                if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                    self.receive_at(index, now_ns)?;
                    heard_ns = now_ns;
                }
                self.send_from(index, now_ns)?;
            }
            if self.pace.is_some() {
                for index in 0..self.connections.len() {
                    self.send_from(index, now_ns)?;
                }
            }
            if in_flight == 0 {
                heard_ns = now_ns;
            } else if now_ns.saturating_sub(heard_ns) > nanos(SILENCE_MAX) {
                return Err(LoadError::Silent { in_flight });
            }
            if now_ns.saturating_sub(shown_ns) > PROGRESS_EVERY_NS {
                shown_ns = now_ns;
                watch(Progress { elapsed: Duration::from_nanos(now_ns), answered: self.tally.answered() });
            }
        }
    }

    /// Whether more commands are to be sent.
    fn sending(&self, now_ns: u64) -> bool {
        match self.load.end {
            End::After(_) => match &self.pace {
                None => now_ns < self.tally.end_ns(),
                // What was due before the end and is late is sent all the same: leaving it out would hide a stall.
                Some(pace) => {
                    pace.next_due_ns() < self.tally.end_ns() && now_ns < self.tally.end_ns().saturating_add(LATE_MAX_NS)
                }
            },
            End::Commands(count) => self.sent < count,
        }
    }

    fn wait(&self, sending: bool) -> rustix::time::Timespec {
        let due_in_ns = match &self.pace {
            Some(pace) if sending => pace.next_due_ns().saturating_sub(self.now_ns()).max(Pace::TICK_NS),
            Some(_) | None => PROGRESS_EVERY_NS,
        };
        let wait_ns = due_in_ns.min(PROGRESS_EVERY_NS);
        rustix::time::Timespec { tv_sec: 0, tv_nsec: i64::try_from(wait_ns).unwrap_or(0) }
    }

    fn receive_at(&mut self, index: usize, now_ns: u64) -> Result<(), LoadError> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        let (tally, orders) = (&mut self.tally, &mut self.orders);
        let bytes = connection.receive(self.dialect, |answered| match answered.verdict {
            Verdict::Done => {
                tally.done(answered.sent_ns, now_ns);
                Ok(())
            }
            Verdict::Refused(kind) => {
                if let Some(number) = answered.placed.filter(|_| kind != TAKEN) {
                    orders.give_back(number);
                }
                tally.refused(kind, now_ns);
                Ok(())
            }
            Verdict::TurnedAway(refusal) => Err(LoadError::TurnedAway(refusal)),
            Verdict::Wrong(what) => Err(LoadError::Wrong(what)),
        })?;
        tally.received(bytes, now_ns);
        Ok(())
    }

    /// Fills the connection's window, as far as the pace allows, and writes.
    fn send_from(&mut self, index: usize, now_ns: u64) -> Result<(), LoadError> {
        let Some(connection) = self.connections.get(index) else { return Ok(()) };
        let mut room = self.load.in_flight.saturating_sub(connection.in_flight());
        while room > 0 && self.sending(now_ns) {
            let sent_ns = match &mut self.pace {
                None => now_ns,
                Some(pace) => match pace.take(index, now_ns, self.tally.end_ns()) {
                    Some(due_ns) => due_ns,
                    None => break,
                },
            };
            if let Some(connection) = self.connections.get_mut(index) {
                let orders = &mut self.orders;
                connection.send(self.sent, sent_ns, self.load.names, self.dialect, || orders.take());
            }
            self.sent = self.sent.saturating_add(1);
            room = room.saturating_sub(1);
        }
        self.flush(index, now_ns)
    }

    fn flush(&mut self, index: usize, now_ns: u64) -> Result<(), LoadError> {
        let Some((connection, blocked)) = self.connections.get_mut(index).zip(self.blocked.get_mut(index)) else {
            return Ok(());
        };
        let (flushed, bytes) = connection.flush()?;
        self.tally.sent(bytes, now_ns);
        let full = flushed == Flushed::Rest;
        if full != *blocked {
            *blocked = full;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, full);
            epoll::modify(&self.epoll, &*connection, token(index), flags).map_err(LoadError::socket("watch"))?;
        }
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        nanos(self.start.elapsed())
    }
}

fn token(index: usize) -> epoll::EventData {
    epoll::EventData::new_u64(u64::try_from(index).unwrap_or(u64::MAX))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "run_test.rs"]
mod tests;
