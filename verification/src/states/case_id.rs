//! Where a state is found again.

use std::cell::Cell;
use std::fmt;

use super::Size;
use super::scenarios::SCENARIOS;
use crate::bugs::Bug;

/// Names one state, or what leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseId {
    /// The place of the scenario in the list of all.
    pub scenario: usize,
    /// Which of its variations.
    pub variation: u64,
    /// Before which recorded call the power is cut; none while the script itself runs.
    pub point: Option<usize>,
    /// What is left.
    pub state: usize,
    /// The same for the recovery from that: before which call, and what is left.
    pub second: Option<(usize, usize)>,
    /// Whether it is one of the small size.
    pub small: bool,
    /// A deliberate bug between the daemon and its disk.
    pub bug: Option<Bug>,
}

thread_local! {
    static NOW: Cell<Option<CaseId>> = const { Cell::new(None) };
}

impl CaseId {
    /// The script with this number.
    #[must_use]
    pub fn of_script(number: u64, size: &Size, bug: Option<Bug>) -> Self {
        let count = SCENARIOS.len() as u64;
        let scenario = usize::try_from(number % count).unwrap_or(0);
        let small = *size == Size::SMALL;
        Self { scenario, variation: number / count, point: None, state: 0, second: None, small, bug }
    }

    /// The scenario of this name.
    #[must_use]
    pub fn scenario_by_name(name: &str) -> Option<usize> {
        SCENARIOS.iter().position(|scenario| scenario.name == name)
    }

    /// From now on this thread is there.
    pub(super) fn enter(self) {
        NOW.set(Some(self));
    }

    /// Where this thread is, or else the script with this number.
    pub(super) fn now(number: u64) -> Self {
        NOW.get().unwrap_or_else(|| Self::of_script(number, &Size::FULL, None))
    }
}

/// The one command that brings it back.
impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SCENARIOS.get(self.scenario).map_or("none", |scenario| scenario.name);
        let variation = self.variation;
        write!(
            f,
            "cargo run --release -p orderd-verification --bin states -- --scenario {name} --variation {variation}"
        )?;
        if let Some(point) = self.point {
            write!(f, " --point {point} --state {}", self.state)?;
        }
        if let Some((point, state)) = self.second {
            write!(f, " --second-point {point} --second-state {state}")?;
        }
        if let Some(bug) = self.bug {
            write!(f, " --bug {}", bug.name())?;
        }
        f.write_str(if self.small { " --small" } else { "" })
    }
}
