//! What was measured: a file of figures, from which tables and plots are drawn.

use crate::machine::Machine;
use crate::systems::{Cell, Measured};
use crate::targets::Goal;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The content of `figures.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// The newest side-by-side run.
    pub comparison: Option<Comparison>,
    /// By the key of its goal, the newest figure.
    pub figures: BTreeMap<String, Figure>,
}

/// One figure against one goal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figure {
    /// The median.
    pub value: f64,
    pub min: f64,
    pub max: f64,
    pub samples: usize,
    /// What a reader should know beside it.
    pub note: String,
    pub made: Made,
}

/// When, where and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    pub date: String,
    pub machine: Machine,
    pub command: String,
}

/// A side-by-side run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Comparison {
    pub made: Made,
    pub rounds: usize,
    pub seconds: f64,
    pub series: Vec<Series>,
    pub footprint: Vec<LeftBehind>,
}

/// One system under one load, round by round.
#[derive(Debug, Serialize, Deserialize)]
pub struct Series {
    pub system: String,
    pub cell: Cell,
    pub rounds: Vec<Measured>,
}

/// What a number of commands left behind in one system.
#[derive(Debug, Serialize, Deserialize)]
pub struct LeftBehind {
    pub system: String,
    pub cell: Cell,
    pub commands: u64,
    /// Written to the disk.
    pub disk_bytes_per_order: f64,
    /// Resident.
    pub memory_bytes_per_order: Option<f64>,
    /// Commands by second of the start after a crash.
    pub recovered_per_second: Option<f64>,
    /// How long that start took.
    pub ready_after_ms: Option<f64>,
}

impl Made {
    /// Here and now, by this command line.
    pub fn now(folder: &Path) -> Result<Self> {
        let mut args: Vec<_> = std::env::args().skip(1).filter(|arg| arg != "--write").collect();
        // Where a machine keeps its files says nothing about the figure.
        while let Some(at) = args.iter().position(|arg| ["--dir", "--orderd", "--docs"].contains(&arg.as_str())) {
            args.drain(at..args.len().min(at + 2));
        }
        Ok(Self {
            date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
            machine: Machine::look(folder)?,
            command: format!("orderd-compare {}", args.join(" ")),
        })
    }
}

impl Figure {
    /// The median of the samples.
    pub fn of(samples: &[f64], note: impl Into<String>, made: &Made) -> Result<Self> {
        let spread = Spread::of(samples).context("nothing was measured")?;
        Ok(Self {
            value: spread.median,
            min: spread.min,
            max: spread.max,
            samples: samples.len(),
            note: note.into(),
            made: made.clone(),
        })
    }

    /// One line for the terminal.
    pub fn line(&self, goal: &Goal) -> String {
        let verdict = if goal.bound.holds(self.value) { "reached" } else { "NOT reached" };
        let note = if self.note.is_empty() { String::new() } else { format!("; {}", self.note) };
        format!(
            "{}: {} (min {}, max {}, n = {}); {}: {verdict}{note}",
            goal.what,
            goal.text(self.value),
            goal.text(self.min),
            goal.text(self.max),
            self.samples,
            goal.bound_text(),
        )
    }
}

/// Median, least and most.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Nothing for no samples.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: (lower + upper) / 2.0, min: *sorted.first()?, max: *sorted.last()? })
    }
}

impl Figures {
    /// The file's content; nothing if there is none yet.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        serde_json::from_str(&fs::read_to_string(&path)?).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Writes the file.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(FILE), serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }
}

const FILE: &str = "figures.json";

/// Counts stay far below 2^53.
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_that_are_kept_can_be_read() {
        let kept = Figures::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance"));
        assert!(kept.is_ok_and(|figures| !figures.figures.is_empty()));
    }

    #[test]
    fn the_median_is_the_middle_sample() {
        let spread = Spread::of(&[5.0, 1.0, 3.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (3.0, 1.0, 5.0));
        assert_eq!(Spread::of(&[1.0, 2.0]).unwrap().median, 1.5);
        assert!(Spread::of(&[]).is_none());
    }
}
