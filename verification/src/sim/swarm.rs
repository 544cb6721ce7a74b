//! What a seed's run is like: every run has some kinds of faults often and others never, so that no kind hides another.

use std::time::Duration;

use orderd::repo::MaintenanceOptions;

use crate::disk::{Call, Faults};
use crate::environment::Options;
use crate::rng::Rng;
use crate::sink::FaultProfile;

/// The character of one run.
#[derive(Debug, Clone)]
pub struct Swarm {
    /// The configuration of the daemon.
    pub options: Options,
    /// The faults while all is as it is.
    pub faults: Faults,
    /// The size of the disk, if it has one.
    pub capacity: Option<u64>,
    /// How many crashes there are.
    pub crashes: u64,
    /// How many steps there are between two, at most.
    pub steps_max: u64,
    /// How many commands come at once, at most.
    pub commands_max: u64,
    /// Of a hundred starts, how many lose power at some moment.
    pub cuts: u64,
    /// Of a hundred steps, how many lose power in their midst.
    pub sudden: u64,
    /// What each sink does.
    pub fault_profile: Vec<FaultProfile>,
    /// Of a hundred commands, how many have an id.
    pub with_id: u64,
    /// Of a hundred starts, how many are tried on a damaged copy first.
    pub damages: u64,
    /// Of a hundred steps, how many are backups.
    pub backups: u64,
}

impl Swarm {
    /// The character of a seed.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let mut swarm = Self {
            options: options(rng),
            faults: faults(rng),
            capacity: rng.percent(35).then(|| rng.between(50_000, 250_000)),
            crashes: rng.between(3, 10),
            steps_max: rng.between(4, 100),
            commands_max: rng.between(1, 12),
            cuts: rng.between(0, 90),
            sudden: rng.below(8),
            fault_profile: (0..rng.between(1, 3)).map(|_| fault_profile(rng)).collect(),
            with_id: rng.between(20, 100),
            damages: if rng.percent(30) { 40 } else { 0 },
            backups: if rng.percent(25) { rng.between(2, 8) } else { 0 },
        };
        swarm.faults.clones_files = rng.percent(30);
        swarm
    }
}

/// A configuration with small limits.
pub fn options(rng: &mut Rng) -> Options {
    let batch_bytes_max = usize::try_from(rng.between(200, 3000)).unwrap_or(200);
    let segment_bytes = batch_bytes_max as u64 + (8 << 10) + rng.between(300, 12_000);
    let journal_bytes_max = if rng.percent(35) { segment_bytes * rng.between(4, 10) } else { 1 << 30 };
    // Within what the configuration takes: two checkpoints fit into the journal, and so does what is retained.
    let journal_bytes = rng.between(1000, 40_000).min(journal_bytes_max / 2);
    let maintenance = MaintenanceOptions {
        journal_bytes,
        plans: rng.between(5, 200),
        age: Duration::from_millis(rng.between(50, 3_600_000)),
        retain_bytes: (*rng.pick(&[0, 0, 20_000, 100_000])).min(journal_bytes_max),
        journal_bytes_max,
        stop_journal_bytes: journal_bytes / 2,
    };
    Options {
        segment_bytes,
        journal_bytes_max,
        batch_bytes_max,
        batch_commands_max: usize::try_from(rng.between(1, 16)).unwrap_or(1),
        command_ids_max: usize::try_from(rng.between(4, 64)).unwrap_or(4),
        full_probe: Duration::from_millis(rng.between(0, 50)),
        batch_events_max: usize::try_from(rng.between(1, 12)).unwrap_or(1),
        cursor_events_max: rng.between(1, 20),
        cursor_delay_max: Duration::from_millis(rng.between(0, 100)),
        maintenance,
    }
}

fn faults(rng: &mut Rng) -> Faults {
    let mut faults = Faults::none();
    faults.clean_but_lost = rng.percent(50);
    faults.cache_hint_works = rng.percent(60);
    if rng.percent(50) {
        for call in Call::ALL {
            if rng.percent(25) {
                faults.io[call as usize] = *rng.pick(&[20, 100, 400, 1500]);
            }
        }
    }
    if rng.percent(20) {
        faults.no_space = *rng.pick(&[50, 300, 1500]);
    }
    faults
}

fn fault_profile(rng: &mut Rng) -> FaultProfile {
    let mut fault_profile = FaultProfile::default();
    if rng.percent(60) {
        let often = *rng.pick(&[2, 10, 30]);
        for trait_ in
            [&mut fault_profile.refuses, &mut fault_profile.takes_part, &mut fault_profile.takes_all_and_fails]
        {
            *trait_ = rng.below(often);
        }
        fault_profile.dawdles = rng.below(10);
    }
    if rng.percent(30) {
        fault_profile.sees_power_cut = 1;
    }
    fault_profile
}
