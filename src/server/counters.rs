//! What happened since the start.

use super::methods::Method;
use super::rpc_error::ErrorKind;

/// Counted by the server's thread alone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Connections taken.
    pub(super) accepted: u64,
    /// Connections refused because there were too many, or because their user has no rights at all.
    pub(super) connections_refused: u64,
    /// Requests handed to the executor.
    pub(super) submitted: u64,
    /// Lines answered with an error without the executor.
    pub(super) refused: u64,
    /// Notifications that could not be executed, and nobody was told.
    pub(super) ignored: u64,
    /// Last lines without an end.
    pub(super) cut_lines: u64,
    /// Answers whose client had gone.
    pub(super) undeliverable: u64,
    /// Connections closed because a time-out passed.
    pub(super) timed_out: u64,
    pub(super) results: Results,
}

const METHODS: usize = Method::ALL.len();
/// One for success, one for each kind of error.
const RESULTS: usize = 1 + ErrorKind::ALL.len();

/// What requests came to, by method and result.
#[derive(Debug)]
pub(super) struct Results {
    by_method: [[u64; RESULTS]; METHODS],
    /// Of lines that name no method.
    unreadable: [u64; RESULTS],
    /// Requests about orders, whatever came of them.
    pub(super) commands: u64,
    /// Requests answered `overloaded`.
    pub(super) overloaded: u64,
}

impl Default for Results {
    fn default() -> Self {
        Self { by_method: [[0; RESULTS]; METHODS], unreadable: [0; RESULTS], commands: 0, overloaded: 0 }
    }
}

impl Results {
    pub(super) fn add(&mut self, method: Method, refused: Option<ErrorKind>) {
        self.commands += u64::from(method.is_order_traffic());
        self.overloaded += u64::from(refused == Some(ErrorKind::Overloaded));
        let place = self.by_method.get_mut(method as usize).and_then(|row| row.get_mut(place_of(refused)));
        if let Some(count) = place {
            *count += 1;
        }
    }

    pub(super) fn add_unreadable(&mut self, refused: ErrorKind) {
        if let Some(count) = self.unreadable.get_mut(place_of(Some(refused))) {
            *count += 1;
        }
    }

    /// Every count that is not zero: the method, if one was named, the error, if it was one, and how often.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Option<Method>, Option<ErrorKind>, u64)> {
        let rows = Method::ALL.into_iter().map(Some).zip(&self.by_method).chain([(None, &self.unreadable)]);
        let results = || std::iter::once(None).chain(ErrorKind::ALL.into_iter().map(Some));
        rows.flat_map(move |(method, row)| results().zip(row).map(move |(refused, count)| (method, refused, *count)))
            .filter(|(_, _, count)| *count > 0)
    }

    /// How often this came of this method.
    pub(super) fn count(&self, method: Method, refused: Option<ErrorKind>) -> u64 {
        let row = self.by_method.get(method as usize);
        row.and_then(|row| row.get(place_of(refused))).copied().unwrap_or_default()
    }
}

const fn place_of(refused: Option<ErrorKind>) -> usize {
    match refused {
        None => 0,
        Some(kind) => 1 + kind as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_and_every_result_has_a_place_of_its_own() {
        let mut results = Results::default();
        for method in Method::ALL {
            results.add(method, None);
            ErrorKind::ALL.into_iter().for_each(|kind| results.add(method, Some(kind)));
        }
        ErrorKind::ALL.into_iter().for_each(|kind| results.add_unreadable(kind));
        let counts: Vec<_> = results.counts().collect();
        assert_eq!(counts.len(), METHODS * RESULTS + ErrorKind::ALL.len());
        assert!(counts.iter().all(|(_, _, count)| *count == 1));
        assert_eq!((results.commands, results.overloaded), (4 * RESULTS as u64, METHODS as u64));
    }
}
