//! From durable to delivered.

use crate::daemon::{Client, Settings, Store};
use crate::figures::{Figure, Figures, Made};
use crate::shared::Shared;
use crate::targets;
use crate::wait;
use anyhow::{Result, ensure};
use orderd_load::{Answers, Dialect, JsonRpc, OrderNames, Verb, Verdict};
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

/// Places one order at a time and times how long after its answer its event's line is in the sink's file
#[derive(Debug, clap::Args)]
pub struct DeliveryArgs {
    #[arg(long, default_value_t = 2_000)]
    commands: u64,
    /// The median of each round is one sample
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

const LOOK_EVERY: Duration = Duration::from_micros(20);
const DELIVERY_MAX: Duration = Duration::from_secs(10);

/// Measures it.
pub fn delivery(args: &DeliveryArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    let (mut p50_ms, mut p99_ms) = (Vec::new(), 0.0_f64);
    for round in 1..=args.rounds {
        let mut times_ms = one_by_one(args.commands, shared)?;
        times_ms.sort_by(f64::total_cmp);
        let at = |share: usize| times_ms.get(times_ms.len() * share / 100).copied().unwrap_or_default();
        eprintln!("round {round}: p50 {:.3} ms, p99 {:.3} ms", at(50), at(99));
        p50_ms.push(at(50));
        p99_ms = p99_ms.max(at(99));
    }
    let note = format!("p99 at most {p99_ms:.2} ms");
    figures.add(&targets::DELIVERY, Figure::of(&p50_ms, note, &made)?);
    Ok(())
}

fn one_by_one(commands: u64, shared: &Shared) -> Result<Vec<f64>> {
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let path = store.folder().join("events.ndjson");
    let daemon = store.start(&Settings::default().with_sink("events", &path, true))?;
    let mut client = Client::connect(daemon.socket())?;
    let mut file = wait::until("the sink makes its file", DELIVERY_MAX, LOOK_EVERY, || Ok(File::open(&path).ok()))?;
    let (names, mut dialect) = (OrderNames::fresh(), JsonRpc::new(None, Answers::InOrder));
    let (mut request, mut seen, mut times_ms) = (Vec::new(), vec![0; 64 * 1024], Vec::new());
    for id in 0..commands {
        request.clear();
        dialect.render(Verb::Place, id, &names.order(id), &mut request);
        let answer = client.call(&request)?;
        let answered = Instant::now();
        let verdict = dialect.judge(answer.trim_end().as_bytes(), id);
        ensure!(verdict == Verdict::Done, "not placed: {verdict:?}");
        wait::until("the event is delivered", DELIVERY_MAX, LOOK_EVERY, || {
            let bytes = file.read(&mut seen)?;
            Ok((bytes.checked_sub(1).and_then(|last| seen.get(last)) == Some(&b'\n')).then_some(()))
        })?;
        times_ms.push(answered.elapsed().as_secs_f64() * 1e3);
    }
    daemon.stop()?;
    Ok(times_ms)
}
