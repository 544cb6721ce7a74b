//! One script: all its points, and all that a power cut leaves at each.

use super::Size;
use super::backups::check_backup;
use super::case_id::CaseId;
use super::check::{Keep, Recovery, recover};
use super::crash_subsets::{Chosen, choices, few_choices, first_parts};
use super::expectations::{Moment, Standing};
use super::scenarios::SCENARIOS;
use super::script_runner::Record;
use super::visited::Seen;
use crate::disk::{Tree, crash, unsynced};
use crate::fingerprint::Fingerprint;

/// After this many failures a script is given up.
const FAILURES_MAX: usize = 3;

/// What came of a script.
#[derive(Debug, Default)]
pub struct Counts {
    /// How many scripts.
    pub scripts: u64,
    /// How many calls that changed the disk, before which the power was cut.
    pub points: u64,
    /// How many states were enumerated.
    pub enumerated: u64,
    /// How many of them were not met before.
    pub distinct: u64,
    /// How many recoveries were interrupted.
    pub interrupted: u64,
    /// How many states of interrupted recoveries were not met before.
    pub second: u64,
    /// How many commands were answered and checked.
    pub commands: u64,
    /// What failed, and where.
    pub failures: Vec<(CaseId, String)>,
}

/// What was met by all scripts together.
#[derive(Debug, Default)]
pub struct Met {
    /// Crash states.
    pub states: Seen,
    /// Those of interrupted recoveries.
    pub second: Seen,
}

/// Plays a script and goes through its crash states, until `enough`.
pub fn walk(script: CaseId, size: &Size, met: &Met, enough: &dyn Fn() -> bool) -> Counts {
    let mut counts = Counts { scripts: 1, ..Counts::default() };
    script.enter();
    let record = match SCENARIOS[script.scenario].play(script.variation, script.bug) {
        Ok(record) => record,
        Err(problem) => {
            counts.failures.push((script, format!("without a power cut: {problem}")));
            return counts;
        }
    };
    let mut walk = Walk { record: &record, size, met, counts };
    for point in 0..record.points.len() {
        if enough() || walk.counts.failures.len() >= FAILURES_MAX {
            break;
        }
        walk.point(CaseId { point: Some(point), ..script });
    }
    walk.counts
}

struct Walk<'a> {
    record: &'a Record,
    size: &'a Size,
    met: &'a Met,
    counts: Counts,
}

impl Walk<'_> {
    fn point(&mut self, address: CaseId) {
        let recorded = &self.record.points[address.point.unwrap_or(0)];
        let moment = &self.record.moments[recorded.moment];
        let parts = unsynced(&recorded.tree);
        let first = first_parts(&parts);
        self.counts.points += 1;
        for (state, choice) in choices(&parts, self.size).into_iter().enumerate() {
            let tree = crash(&recorded.tree, &mut Chosen::new(choice, &first));
            let fingerprint = fingerprint_of(&tree, moment);
            self.counts.enumerated += 1;
            if self.met.states.is_new(fingerprint) {
                self.counts.distinct += 1;
                let address = CaseId { state, ..address };
                address.enter();
                let interrupted = fingerprint.is_multiple_of(self.size.second_every);
                if let Err((address, problem)) = self.state(&tree, moment, address, interrupted) {
                    self.counts.failures.push((address, format!("before {}: {problem}", recorded.before)));
                    if self.counts.failures.len() >= FAILURES_MAX {
                        break;
                    }
                }
            }
        }
    }

    fn state(&mut self, tree: &Tree, moment: &Moment, at: CaseId, interrupted: bool) -> Result<(), (CaseId, String)> {
        let standing = &moment.standing;
        let keep = if interrupted { Keep::Calls } else { Keep::Nothing };
        let commands = check(self.record, standing, tree, keep).map_err(|problem| (at, problem))?;
        self.counts.commands += commands.0;
        if interrupted {
            self.counts.interrupted += 1;
            self.second(&commands.1, fingerprint_of(tree, moment), at)?;
        }
        Ok(())
    }

    /// The power is cut once more, at every call of the recovery.
    fn second(&mut self, recovery: &Recovery, before: u64, at: CaseId) -> Result<(), (CaseId, String)> {
        for (point, call) in recovery.calls.iter().enumerate() {
            let moment = &recovery.moments[call.moment];
            let parts = unsynced(&call.tree);
            let first = first_parts(&parts);
            for (state, choice) in few_choices(&parts).into_iter().enumerate() {
                let tree = crash(&call.tree, &mut Chosen::new(choice, &first));
                let fingerprint = fingerprint_of(&tree, moment);
                if fingerprint != before && self.met.second.is_new(fingerprint) {
                    self.counts.second += 1;
                    let at = CaseId { second: Some((point, state)), ..at };
                    at.enter();
                    check_again(self.record, &moment.standing, tree)
                        .map_err(|problem| (at, format!("and again before {}: {problem}", call.before)))?;
                }
            }
        }
        Ok(())
    }
}

fn fingerprint_of(tree: &Tree, moment: &Moment) -> u64 {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add(tree.fingerprint());
    fingerprint.add(moment.fingerprint);
    fingerprint.value()
}

/// Recovers twice, compares, and works on; gives how many commands were answered, and the second recovery.
fn check(record: &Record, standing: &Standing, tree: &Tree, keep: Keep) -> Result<(u64, Recovery), String> {
    check_backup(record, standing, tree)?;
    let first = recover(record, standing, tree.clone(), 0, Keep::Nothing)?;
    let model = first.judge(standing)?;
    let second = recover(record, standing, tree.clone(), 0, keep)?;
    if first.found() != second.found() {
        return Err("two starts over the same disk differ".to_owned());
    }
    Ok((first.work_on(model, standing)?, second))
}

fn check_again(record: &Record, standing: &Standing, tree: Tree) -> Result<(), String> {
    recover(record, standing, tree, 1, Keep::Nothing)?.judge(standing).map(drop)
}

/// Goes through one state, or all of a script, and says what it is.
///
/// # Errors
/// What is wrong with it.
pub fn replay(address: CaseId) -> Result<String, String> {
    let size = if address.small { Size::SMALL } else { Size::FULL };
    let scenario = SCENARIOS.get(address.scenario).ok_or("no such scenario")?;
    let Some(point) = address.point else {
        let counts = walk(address, &size, &Met::default(), &|| false);
        let failures: Vec<_> = counts.failures.iter().map(|(at, problem)| format!("{problem}\n  {at}")).collect();
        return if failures.is_empty() { Ok(counts.to_string()) } else { Err(failures.join("\n")) };
    };
    let record = scenario.play(address.variation, address.bug)?;
    let recorded = record.points.get(point).ok_or_else(|| format!("there are {} points", record.points.len()))?;
    let moment = &record.moments[recorded.moment];
    let parts = unsynced(&recorded.tree);
    let all = choices(&parts, &size);
    let choice = *all.get(address.state).ok_or_else(|| format!("there are {} states", all.len()))?;
    let mut text = format!("before {}: {choice:?} of {parts:?}", recorded.before);
    let tree = crash(&recorded.tree, &mut Chosen::new(choice, &first_parts(&parts)));
    let checked = check(&record, &moment.standing, &tree, Keep::Calls);
    let told = |problem: String, text: &str| format!("{text}\n{problem}");
    let (_, recovery) = checked.map_err(|problem| told(problem, &text))?;
    if let Some((point, state)) = address.second {
        let call = recovery.calls.get(point).ok_or("no such call in the recovery")?;
        let parts = unsynced(&call.tree);
        let choice = *few_choices(&parts).get(state).ok_or("no such state of the recovery")?;
        text += &format!("\nand again before {}: {choice:?} of {parts:?}", call.before);
        let tree = crash(&call.tree, &mut Chosen::new(choice, &first_parts(&parts)));
        let again = check_again(&record, &recovery.moments[call.moment].standing, tree);
        again.map_err(|problem| told(problem, &text))?;
    }
    Ok(text)
}
