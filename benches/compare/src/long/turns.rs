//! One thing measured with something else beside it and without, by turns.

use crate::figures::Spread;
use anyhow::{Context, Result, ensure};

/// What one figure was in each round.
#[derive(Debug, Default)]
pub struct Turns {
    with: Vec<f64>,
    without: Vec<f64>,
}

impl Turns {
    /// A round's two figures.
    pub fn add(&mut self, with: f64, without: f64) {
        self.with.push(with);
        self.without.push(without);
    }

    /// The median of the rounds' ratios, and the smallest and largest.
    pub fn ratio(&self) -> Result<Spread> {
        let ratios: Vec<_> = self.with.iter().zip(&self.without).map(|(with, without)| with / without).collect();
        ensure!(ratios.iter().all(|ratio| ratio.is_finite()), "a figure without it is 0");
        Spread::of(&ratios).context("no round")
    }

    /// A row of the table: medians of both, and the ratio with its spread.
    pub fn row(&self, what: &str, unit: &str) -> Result<String> {
        let median = |samples: &[f64]| Spread::of(samples).map(|spread| spread.median).context("no round");
        let Spread { median: ratio, min, max } = self.ratio()?;
        let (with, without) = (median(&self.with)?, median(&self.without)?);
        Ok(format!("| {what} | {with:.2} {unit} | {without:.2} {unit} | {ratio:.2} ({min:.2} to {max:.2}) |\n"))
    }
}

/// The head of a table of such rows.
pub fn table_head(beside: &str) -> String {
    format!("| medians | {beside} | without | ratio |\n| --- | --- | --- | --- |\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_ratios() {
        let mut turns = Turns::default();
        [(2.0, 1.0), (9.0, 3.0), (4.0, 4.0)].into_iter().for_each(|(with, without)| turns.add(with, without));
        assert!(turns.row("p99", "ms").is_ok_and(|row| row == "| p99 | 4.00 ms | 3.00 ms | 2.00 (1.00 to 3.00) |\n"));
        assert!(Turns::default().ratio().is_err());
    }
}
