//! Runs many cases of one battery on all cores, and says what they came to together.

use std::cell::Cell;
use std::fmt::{self, Display};
use std::io::{IsTerminal as _, stderr};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;

/// After this many failures it is enough.
const FAILURES_MAX: usize = 10;
/// How often a terminal is told how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Something that runs cases by their numbers. One number is one case, whoever runs it and when.
pub trait Battery: Sync {
    /// What one case came to.
    type Outcome: Send;
    /// What many came to together.
    type Tally: Default + Display + Send;
    /// What one is called.
    const CASE: &'static str;

    /// The one command that runs a case again.
    fn replay(number: u64) -> String;

    /// Whether the case is to be run.
    fn wants(&self, _number: u64) -> bool {
        true
    }

    /// Runs a case.
    fn run(&self, number: u64) -> Self::Outcome;

    /// Counts a case; gives what is wrong with it, as [`Battery::failure`] writes it.
    fn count(&self, tally: &mut Self::Tally, number: u64, outcome: Self::Outcome) -> Vec<String>;

    /// Whether no more cases are needed after this many.
    fn is_enough(&self, _cases: u64) -> bool {
        false
    }

    /// What must have happened in this many cases, and has not.
    fn never_seen(_tally: &Self::Tally, _cases: u64) -> Vec<String> {
        Vec::new()
    }

    /// A failure with the command that shows it.
    fn failure(number: u64, problem: &str) -> String {
        format!("{} {number}: {problem}\n  {}", Self::CASE, Self::replay(number))
    }
}

/// Which cases, and how long.
pub struct Campaign {
    range: Range<u64>,
    threads: usize,
    time_max: Duration,
}

thread_local! {
    static NOW: Cell<Option<u64>> = const { Cell::new(None) };
}

impl Campaign {
    /// The cases of these numbers, on all cores, however long it takes.
    #[must_use]
    pub fn of(range: Range<u64>) -> Self {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { range, threads, time_max: Duration::MAX }
    }

    /// The same with `--threads N` and `--seconds N` of a command line.
    pub fn read(arguments: &mut Arguments, range: Range<u64>) -> Self {
        let campaign = Self::of(range);
        let threads = arguments.number("--threads").and_then(|count| usize::try_from(count).ok());
        let time_max = arguments.number("--seconds").map_or(Duration::MAX, Duration::from_secs);
        Self { threads: threads.unwrap_or(campaign.threads).max(1), time_max, ..campaign }
    }

    /// Runs cases until all are run, enough is known, too much has failed, or the time is over. A panic tells the command
    /// that repeats its case before anything else.
    pub fn run<B: Battery>(&self, battery: &B) -> Report<B::Tally> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if let Some(number) = NOW.get() {
                eprintln!("a panic; replay: {}", B::replay(number));
            }
            before(info);
        }));
        let running = Mutex::new(Running::<B>::new());
        let (next, go_on) = (AtomicU64::new(self.range.start), AtomicBool::new(true));
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    while go_on.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.range.end {
                            break;
                        }
                        if !battery.wants(number) {
                            continue;
                        }
                        NOW.set(Some(number));
                        let outcome = battery.run(number);
                        NOW.set(None);
                        let Ok(mut running) = running.lock() else { break };
                        if !running.take(battery, number, outcome, self.time_max) {
                            go_on.store(false, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        drop(std::panic::take_hook());
        running.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).report()
    }
}

/// What is known so far.
struct Running<B: Battery> {
    began: Instant,
    told: Instant,
    cases: u64,
    tally: B::Tally,
    failures: Vec<String>,
}

impl<B: Battery> Running<B> {
    fn new() -> Self {
        let began = Instant::now();
        Self { began, told: began, cases: 0, tally: B::Tally::default(), failures: Vec::new() }
    }

    /// Takes in a case; whether to go on.
    fn take(&mut self, battery: &B, number: u64, outcome: B::Outcome, time_max: Duration) -> bool {
        self.cases += 1;
        self.failures.extend(battery.count(&mut self.tally, number, outcome));
        if self.told.elapsed() >= PROGRESS_EVERY && stderr().is_terminal() {
            self.told = Instant::now();
            eprintln!("{} {}s in {} s", self.cases, B::CASE, self.began.elapsed().as_secs());
        }
        let goes_on = self.failures.len() < FAILURES_MAX && self.began.elapsed() < time_max;
        goes_on && !battery.is_enough(self.cases)
    }

    fn report(self) -> Report<B::Tally> {
        let Self { began, cases, tally, failures, .. } = self;
        let never_seen = B::never_seen(&tally, cases);
        Report { case: B::CASE, cases, tally, failures, never_seen, elapsed: began.elapsed() }
    }
}

/// What came of many cases.
#[derive(Debug)]
pub struct Report<T> {
    case: &'static str,
    /// How many were run.
    pub cases: u64,
    /// What was counted.
    pub tally: T,
    failures: Vec<String>,
    never_seen: Vec<String>,
    elapsed: Duration,
}

impl<T: Display> Report<T> {
    /// Whether no promise was broken, and enough was seen.
    ///
    /// # Errors
    /// What is wrong, with the commands that show it.
    pub fn verdict(&self) -> Result<(), String> {
        if !self.failures.is_empty() {
            return Err(self.failures.join("\n"));
        }
        if !self.never_seen.is_empty() {
            return Err(format!("never seen in {} {}s: {}", self.cases, self.case, self.never_seen.join("; ")));
        }
        Ok(())
    }

    /// Ends a program with it.
    pub fn conclude(&self) -> ExitCode {
        conclude(&self.to_string(), self.verdict())
    }
}

impl<T: Display> Display for Report<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}s in {:.1} s", self.cases, self.case, self.elapsed.as_secs_f64())?;
        write!(f, "{}", self.tally)
    }
}

/// Ends a program: prints what was seen, and what is wrong with it.
pub fn conclude(seen: &str, verdict: Result<(), String>) -> ExitCode {
    print!("{seen}");
    match verdict {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("{problem}");
            ExitCode::FAILURE
        }
    }
}
