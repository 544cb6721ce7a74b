//! When commands are due in a run with a fixed rate.
//!
//! A command is due whether or not the server has kept up, and its latency counts from then: a server that stalls for a
//! second has made a second's worth of commands late, not one.

/// The due times of every connection, spread evenly.
#[derive(Debug)]
pub struct Pace {
    interval_ns: f64,
    connections: Vec<Schedule>,
}

#[derive(Debug, Clone, Copy)]
struct Schedule {
    first_ns: f64,
    taken: f64,
}

impl Pace {
    /// Due times are looked at this often: finer would cost the server its processor.
    pub const TICK_NS: u64 = 100_000;

    /// `rate` commands a second over all connections.
    pub fn new(rate: f64, connections: usize) -> Self {
        let gap_ns = 1e9 / rate.max(f64::MIN_POSITIVE);
        let mut schedules = Vec::with_capacity(connections);
        let mut first_ns = 0.0;
        for _ in 0..connections {
            schedules.push(Schedule { first_ns, taken: 0.0 });
            first_ns += gap_ns;
        }
        Self { interval_ns: first_ns, connections: schedules }
    }

    /// Takes the connection's next command, if it is due by now and before `end_ns`; returns when it was.
    pub fn take(&mut self, connection: usize, now_ns: u64, end_ns: u64) -> Option<u64> {
        let interval_ns = self.interval_ns;
        let schedule = self.connections.get_mut(connection)?;
        let due_ns = schedule.due_ns(interval_ns);
        if due_ns > now_ns || due_ns >= end_ns {
            return None;
        }
        schedule.taken += 1.0;
        Some(due_ns)
    }

    /// Commands that are due before `end_ns` and were not taken.
    pub fn left(&self, end_ns: u64) -> u64 {
        self.connections.iter().map(|schedule| schedule.left(self.interval_ns, end_ns)).sum()
    }

    /// When the next command of any connection is due.
    pub fn next_due_ns(&self) -> u64 {
        let dues = self.connections.iter().map(|schedule| schedule.due_ns(self.interval_ns));
        dues.min().unwrap_or(u64::MAX)
    }
}

impl Schedule {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and `as` saturates")]
    fn due_ns(self, interval_ns: f64) -> u64 {
        (self.first_ns + self.taken * interval_ns) as u64
    }

    fn left(mut self, interval_ns: f64, end_ns: u64) -> u64 {
        let mut left = 0;
        while self.due_ns(interval_ns) < end_ns {
            self.taken += 1.0;
            left += 1;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_all_connections() {
        let mut pace = Pace::new(1_000.0, 3);
        let mut taken = 0;
        for now_ms in 0..1_000 {
            for connection in 0..3 {
                while pace.take(connection, now_ms * 1_000_000, u64::MAX).is_some() {
                    taken += 1;
                }
            }
        }
        assert_eq!(taken, 1_000);
        assert_eq!(pace.next_due_ns(), 1_000_000_000);
    }

    #[test]
    fn a_late_command_keeps_its_due_time() {
        let mut pace = Pace::new(1_000.0, 1);
        assert_eq!(pace.take(0, 50_000_000, u64::MAX), Some(0));
        assert_eq!(pace.take(0, 50_000_000, u64::MAX), Some(1_000_000));
    }

    #[test]
    fn nothing_is_due_after_the_end_and_what_was_not_taken_before_is_counted() {
        let mut pace = Pace::new(1_000.0, 2);
        assert_eq!(pace.take(0, 50_000_000, 10_000_000), Some(0));
        assert_eq!(pace.left(10_000_000), 9);
        for _ in 0..4 {
            assert!(pace.take(0, 50_000_000, 10_000_000).is_some());
        }
        assert_eq!(pace.take(0, 50_000_000, 10_000_000), None);
        assert_eq!(pace.left(10_000_000), 5);
    }
}
