//! Percentiles of what happened between two looks at a histogram that only grows.

use super::metrics::Sample;

/// The buckets of a histogram at one moment: bound, and observations up to it.
#[derive(Debug, Clone, Default)]
pub struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// The sum of several histograms with the same bounds.
    pub fn sum<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        let mut total: Vec<(f64, f64)> = Vec::new();
        for sample in samples {
            for bucket in &sample.buckets {
                let Ok(bound) = bucket.le.parse::<f64>() else { continue };
                match total.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                    Some((_, count)) => *count += bucket.count,
                    None => total.push((bound, bucket.count)),
                }
            }
        }
        total.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(total)
    }

    /// What was observed after `before`. After a restart of the daemon, everything.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let same = self.0.len() == before.0.len();
        let grown = same && self.0.iter().zip(&before.0).all(|(now, then)| now.1 >= then.1);
        if !grown {
            return self.clone();
        }
        Self(self.0.iter().zip(&before.0).map(|(now, then)| (now.0, now.1 - then.1)).collect())
    }

    /// The value that a share `q` of the observations does not exceed, linear inside its bucket; none without
    /// observations. What is beyond the last finite bound counts as that bound.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.0.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let rank = q * total;
        let mut below = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= rank && *count > below.1 {
                if bound.is_infinite() {
                    return Some(below.0);
                }
                let share = (rank - below.1) / (count - below.1);
                return Some(share.mul_add(bound - below.0, below.0));
            }
            below = (if bound.is_finite() { *bound } else { below.0 }, *count);
        }
        Some(below.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(counts: [f64; 3]) -> Buckets {
        Buckets([1.0, 2.0, f64::INFINITY].into_iter().zip(counts).collect())
    }

    #[test]
    fn a_percentile_is_of_what_came_after_the_last_look() {
        let before = buckets([100.0, 100.0, 100.0]);
        let now = buckets([100.0, 110.0, 110.0]);
        assert_eq!(now.since(&before).quantile(0.5), Some(1.5));
        assert_eq!(now.since(&now).quantile(0.5), None);
        // A daemon that restarted counts from 0 again.
        assert_eq!(buckets([10.0, 10.0, 10.0]).since(&before).quantile(0.5), Some(0.5));
    }

    #[test]
    fn what_is_beyond_every_bound_counts_as_the_last_bound() {
        assert_eq!(buckets([0.0, 0.0, 5.0]).quantile(0.99), Some(2.0));
        assert_eq!(Buckets::default().quantile(0.5), None);
    }
}
