//! Sequences that a range leaves out.

use crate::contracts::{EventRange, Sequence};

/// Ascending, apart from each other, both ends included.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Excluded(Vec<(Sequence, Sequence)>);

impl FromIterator<(Sequence, Sequence)> for Excluded {
    fn from_iter<T: IntoIterator<Item = (Sequence, Sequence)>>(ranges: T) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|(from, to)| from <= to).collect();
        sorted.sort_unstable();
        let mut apart: Vec<(Sequence, Sequence)> = Vec::with_capacity(sorted.len());
        for (from, to) in sorted {
            match apart.last_mut() {
                Some((_, last)) if from <= last.next() => *last = to.max(*last),
                Some(_) | None => apart.push((from, to)),
            }
        }
        Self(apart)
    }
}

impl Excluded {
    /// What is left of the events from `from` to `to`.
    pub fn left_of(&self, from: Sequence, to: Sequence) -> EventRange {
        let mut left = EventRange::default();
        let mut next = from;
        let inside = self.0.iter().filter(|(first, last)| *last >= from && *first <= to);
        // One hole more, after the end, closes the last stretch.
        for (first, last) in inside.copied().chain([(to.next(), to.next())]) {
            if first > next {
                left.events = left.events.saturating_add(first.since(next));
                left.first_sequence = left.first_sequence.or(Some(next));
                left.last_sequence = Some(Sequence(first.0.saturating_sub(1)));
            }
            next = next.max(last.next());
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_counting_one_by_one_finds() {
        let ranges = [(3, 4), (4, 6), (9, 9), (10, 12), (20, 25), (1, 1), (8, 7)];
        let excluded: Excluded = ranges.iter().map(|(from, to)| (Sequence(*from), Sequence(*to))).collect();
        assert_eq!(excluded.0.len(), 4, "{excluded:?}");
        for from in 1..30 {
            for to in 0..30 {
                let open = (from..=to).filter(|at| !ranges.iter().any(|(first, last)| (first..=last).contains(&at)));
                let counted: EventRange = open.map(Sequence).collect();
                assert_eq!(excluded.left_of(Sequence(from), Sequence(to)), counted, "{from} to {to}");
            }
        }
    }
}
