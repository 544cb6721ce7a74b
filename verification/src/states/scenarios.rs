//! The scripts. Each is short, and always the same for the same variation.

use std::time::Duration;

use orderd::config::SinkStart;
use orderd::repo::MaintenanceOptions;

use super::script_runner::{Record, ScriptRunner};
use crate::bugs::Bug;
use crate::environment::Options;
use crate::rng::Rng;

/// A script.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// Whether segments are so small that a few plans fill one.
    tiny_segments: bool,
    script: fn(&mut ScriptRunner) -> Result<(), String>,
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "first-boot", tiny_segments: false, script: first_boot },
    Scenario { name: "single", tiny_segments: false, script: single },
    Scenario { name: "batch", tiny_segments: false, script: batch },
    Scenario { name: "rotation", tiny_segments: true, script: rotation },
    Scenario { name: "prepared", tiny_segments: true, script: prepared },
    Scenario { name: "full-write", tiny_segments: false, script: full_write },
    Scenario { name: "full-segment", tiny_segments: true, script: full_segment },
    Scenario { name: "checkpoint", tiny_segments: false, script: checkpoint },
    Scenario { name: "retention", tiny_segments: true, script: retention },
    Scenario { name: "relay", tiny_segments: false, script: relay },
    Scenario { name: "new-sink", tiny_segments: false, script: new_sink },
    Scenario { name: "stop", tiny_segments: false, script: stop },
    Scenario { name: "torn-tail", tiny_segments: false, script: torn_tail },
    Scenario { name: "killed", tiny_segments: false, script: killed },
    Scenario { name: "second-recovery", tiny_segments: false, script: second_recovery },
    Scenario { name: "backup", tiny_segments: true, script: backup },
    Scenario { name: "backup-replaced", tiny_segments: false, script: backup_replaced },
    Scenario { name: "restore", tiny_segments: true, script: restore },
    Scenario { name: "everything", tiny_segments: true, script: everything },
];

impl Scenario {
    /// Plays the script.
    ///
    /// # Errors
    /// Something was wrong although the power was never cut.
    pub fn play(&self, variation: u64, bug: Option<Bug>) -> Result<Record, String> {
        let mut shape = Rng::new(variation.wrapping_mul(0x5DEE_CE66) ^ self.name.len() as u64);
        let options = options(&mut shape, self.tiny_segments);
        let mut stage = ScriptRunner::new(shape, options, bug);
        (self.script)(&mut stage)?;
        Ok(stage.finish())
    }
}

fn options(shape: &mut Rng, tiny_segments: bool) -> Options {
    let batch_bytes_max = usize::try_from(shape.between(600, 4000)).unwrap_or(600);
    // A batch, the longest plan and a seal must fit; what lies above is used before the next segment.
    let used = if tiny_segments { shape.between(300, 1500) } else { 12_000 };
    Options {
        segment_bytes: batch_bytes_max as u64 + (8 << 10) + 64 + used,
        journal_bytes_max: 1 << 30,
        batch_bytes_max,
        batch_commands_max: usize::try_from(shape.between(6, 8)).unwrap_or(6),
        command_ids_max: usize::try_from(shape.between(4, 16)).unwrap_or(4),
        full_probe: Duration::from_millis(10),
        batch_events_max: usize::try_from(shape.between(1, 4)).unwrap_or(1),
        cursor_events_max: shape.between(1, 5),
        cursor_delay_max: Duration::from_millis(100),
        maintenance: MaintenanceOptions {
            journal_bytes: 1 << 20,
            plans: 4,
            age: Duration::from_secs(3600),
            retain_bytes: 0,
            journal_bytes_max: 1 << 30,
            stop_journal_bytes: 1 << 20,
        },
    }
}

/// A daemon with one sink and a few plans.
fn running(stage: &mut ScriptRunner) -> Result<(), String> {
    stage.add_sink(SinkStart::Beginning);
    stage.start()?;
    let plans = stage.shape.between(1, 4);
    singles(stage, plans)
}

fn singles(stage: &mut ScriptRunner, count: u64) -> Result<(), String> {
    (0..count).try_for_each(|_| stage.commands(1).map(drop))
}

fn first_boot(stage: &mut ScriptRunner) -> Result<(), String> {
    stage.add_sink(SinkStart::Beginning);
    stage.record();
    stage.start()?;
    singles(stage, 2)
}

fn single(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    singles(stage, 6)
}

fn batch(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    stage.commands(8)?;
    let more = stage.shape.between(4, 12);
    stage.commands(more).map(drop)
}

fn rotation(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    for _ in 0..4 {
        singles(stage, 2)?;
        let count = stage.shape.between(2, 5);
        stage.commands(count)?;
    }
    Ok(())
}

/// Segments are made ahead, used, left unused by a kill, and left over by a stop.
fn prepared(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    for _ in 0..4 {
        let count = stage.shape.between(2, 5);
        stage.commands(count)?;
        stage.prepare_segment()?;
        singles(stage, 1)?;
    }
    let count = stage.shape.between(3, 8);
    stage.killed_in_batch(count)?;
    stage.start()?;
    stage.commands(3)?;
    stage.prepare_segment()?;
    stage.stop()
}

/// A write of a batch finds no room: it is taken back, and refused.
fn full_write(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    stage.next_write_lacks_room();
    stage.set_room(Some(0));
    stage.commands(5)?;
    stage.pass(20_000);
    stage.commands(2)?;
    stage.set_room(None);
    stage.pass(20_000);
    stage.commands(4)?;
    singles(stage, 1)
}

/// A new segment finds no room; then there is some.
fn full_segment(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    let room = stage.shape.between(0, 9000);
    stage.set_room(Some(room));
    for _ in 0..10 {
        if stage.commands(3)? > 0 {
            break;
        }
    }
    stage.drain()?;
    stage.pass(20_000);
    stage.commands(1)?;
    stage.set_room(None);
    stage.pass(20_000);
    stage.commands(3)?;
    singles(stage, 1)
}

fn checkpoint(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    let plans = stage.shape.between(3, 8);
    stage.commands(plans)?;
    stage.record();
    for _ in 0..3 {
        let busy = stage.shape.between(1, 3);
        stage.checkpoint(busy)?;
        singles(stage, 1)?;
    }
    Ok(())
}

fn retention(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    for _ in 0..3 {
        stage.commands(4)?;
    }
    stage.checkpoint(0)?;
    stage.record();
    for _ in 0..3 {
        stage.commands(5)?;
        stage.drain()?;
        let busy = stage.shape.below(2);
        stage.keep_house(busy)?;
    }
    Ok(())
}

fn relay(stage: &mut ScriptRunner) -> Result<(), String> {
    stage.add_sink(SinkStart::Beginning);
    running(stage)?;
    stage.record();
    stage.relay_while_syncing()?;
    for _ in 0..4 {
        let count = stage.shape.between(1, 4);
        stage.commands(count)?;
        for sink in 0..2 {
            stage.relay(sink)?;
            stage.relay(sink)?;
        }
        let micros = *stage.shape.pick(&[10, 150_000]);
        stage.pass(micros);
    }
    stage.drain()
}

fn new_sink(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.drain()?;
    stage.stop()?;
    let start = if stage.shape.percent(50) { SinkStart::Beginning } else { SinkStart::Now };
    stage.add_sink(start);
    stage.record();
    stage.start()?;
    stage.commands(2)?;
    stage.drain()
}

fn stop(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    stage.commands(4)?;
    stage.relay(0)?;
    stage.stop()?;
    stage.start()?;
    singles(stage, 1)?;
    stage.stop()
}

fn torn_tail(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    let count = stage.shape.between(3, 8);
    stage.torn_batch(count)?;
    stage.record();
    stage.start()?;
    stage.commands(2).map(drop)
}

fn killed(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    let count = stage.shape.between(3, 8);
    stage.killed_in_batch(count)?;
    stage.record();
    stage.start()?;
    stage.commands(2).map(drop)
}

fn second_recovery(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    let count = stage.shape.between(3, 8);
    if stage.shape.percent(50) { stage.killed_in_batch(count) } else { stage.torn_batch(count) }?;
    if stage.shape.percent(50) { stage.killed_in_start() } else { stage.torn_start() }?;
    stage.record();
    stage.start()?;
    stage.commands(2).map(drop)
}

/// A few segments and a checkpoint are copied while commands are taken.
fn backup(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    for _ in 0..2 {
        stage.commands(4)?;
    }
    stage.checkpoint(0)?;
    stage.drain()?;
    stage.clone_files();
    stage.record();
    stage.back_up(2, None)?;
    singles(stage, 1)
}

/// A backup takes the place of one that was killed.
fn backup_replaced(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    let calls = stage.shape.between(25, 45);
    stage.back_up(0, Some(calls))?;
    stage.record();
    stage.back_up(1, None)
}

/// A store is made of a backup.
fn restore(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.commands(4)?;
    stage.checkpoint(0)?;
    singles(stage, 1)?;
    stage.back_up(0, None)?;
    stage.record();
    stage.restore()
}

fn everything(stage: &mut ScriptRunner) -> Result<(), String> {
    running(stage)?;
    stage.record();
    stage.relay_while_syncing()?;
    for _ in 0..8 {
        match stage.shape.below(6) {
            0 | 1 => {
                let count = stage.shape.between(1, 8);
                stage.commands(count)?;
            }
            2 => drop(stage.relay(0)?),
            3 => stage.pass(150_000),
            4 => {
                let busy = stage.shape.below(3);
                stage.commands(1)?;
                stage.checkpoint(busy)?;
            }
            _ => {
                let busy = stage.shape.below(3);
                stage.keep_house(busy)?;
            }
        }
    }
    stage.drain()
}
