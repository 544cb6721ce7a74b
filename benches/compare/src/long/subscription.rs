//! Handing events out to an attached program.

use super::checkpoint_start::fill_to_checkpoint;
use super::{forget_cached_files, mib, paced};
use crate::consumer::Consumer;
use crate::daemon::{Checkpoints, Client, Daemon, Settings, Store};
use crate::figures::{Figure, Figures, Made, Spread, as_f64};
use crate::shared::Shared;
use crate::targets;
use crate::wait;
use anyhow::{Context, Result, anyhow};
use memchr::memmem;
use orderd_load::{Answers, Dialect, JsonRpc, OrderNames, Verb};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Drains a backlog to an attached program, with and without a poison order, with and without parked lanes
#[derive(Debug, clap::Args)]
pub struct SubscriptionArgs {
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Events of each drain with and without a poison order
    #[arg(long, default_value_t = 1_000_000)]
    poison_events: u64,
    /// Orders that are parked for the comparison with none
    #[arg(long, default_value_t = 10_000)]
    lanes: u64,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Commands a second beside the drain
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Seconds of each measurement of p99; the drain must last longer
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// One at a time, for the time from durable to handed out
    #[arg(long, default_value_t = 2_000)]
    commands: u64,
}

const IN_FLIGHT_MAX: u32 = 4096;
const KEEP_ALL_BYTES: u64 = 60 << 30;
const DRAIN_MAX: Duration = Duration::from_secs(900);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Measures all rows, on one store.
pub fn subscription(args: &SubscriptionArgs, shared: &Shared, figures: &mut Figures) -> Result<()> {
    let made = Made::now(&shared.dir)?;
    handed_out(args, shared, &made, figures)?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let mut outbox = Outbox { store: &store, sinks: 0 };
    fill_to_checkpoint(&store, "place-complete", args.events, &settings(None))?;
    drain(args, &mut outbox, &made, figures)?;
    poison(args, &mut outbox, &made, figures)?;
    beside(args, &mut outbox, &made, figures)?;
    parked(args, &mut outbox, &made, figures)
}

fn settings(subscription: Option<(String, bool)>) -> Settings {
    Settings {
        checkpoints: Checkpoints::Never,
        retain_bytes: Some(KEEP_ALL_BYTES),
        subscription,
        ..Settings::default()
    }
}

/// The store, and how many sinks have come and gone: for a sink with a new name everything is before it.
struct Outbox<'a> {
    store: &'a Store,
    sinks: usize,
}

impl Outbox<'_> {
    fn start(&mut self, from_beginning: bool) -> Result<(Daemon, String)> {
        self.sinks += 1;
        let name = format!("bus-{}", self.sinks);
        Ok((self.store.start(&settings(Some((name.clone(), from_beginning))))?, name))
    }
}

/// From the answer to the event's line at the program, one command at a time.
fn handed_out(args: &SubscriptionArgs, shared: &Shared, made: &Made, figures: &mut Figures) -> Result<()> {
    let mut p50_ms = Vec::new();
    for round in 1..=args.rounds {
        let store = Store::new(&shared.orderd, &shared.dir)?;
        let daemon = store.start(&settings(Some(("bus".to_owned(), true))))?;
        let mut consumer = Consumer::attach(daemon.socket(), "bus", IN_FLIGHT_MAX)?;
        let mut client = Client::connect(daemon.socket())?;
        let (names, mut dialect) = (OrderNames::fresh(), JsonRpc::new(None, Answers::InOrder));
        let (mut request, mut times_ms) = (Vec::new(), Vec::new());
        for id in 0..args.commands {
            request.clear();
            dialect.render(Verb::Place, id, &names.order(id), &mut request);
            client.call(&request)?;
            let answered = Instant::now();
            consumer.answer(1, |_| false)?;
            times_ms.push(answered.elapsed().as_secs_f64() * 1e3);
        }
        daemon.kill()?;
        let p50 = Spread::of(&times_ms).context("no command")?.median;
        eprintln!("round {round}: handed out {p50:.3} ms after the answer, p50");
        p50_ms.push(p50);
    }
    figures.add(&targets::HANDED_OUT, Figure::of(&p50_ms, "", made)?);
    Ok(())
}

/// Events a second to a program that does nothing with them.
fn drain(args: &SubscriptionArgs, outbox: &mut Outbox<'_>, made: &Made, figures: &mut Figures) -> Result<()> {
    let mut rates = Vec::new();
    for round in 1..=args.rounds {
        let rate = drained(outbox, args.events, |_| false)?;
        eprintln!("round {round}: {rate:.0} events/s");
        rates.push(rate);
    }
    let note = format!("{} events", targets::number(as_f64(args.events)));
    figures.add(&targets::SUBSCRIPTION_DRAIN, Figure::of(&rates, note, made)?);
    Ok(())
}

fn drained(outbox: &mut Outbox<'_>, events: u64, rejects: impl FnMut(&[u8]) -> bool) -> Result<f64> {
    let (daemon, name) = outbox.start(true)?;
    let mut consumer = Consumer::attach(daemon.socket(), &name, IN_FLIGHT_MAX)?;
    let start = Instant::now();
    consumer.answer(events, rejects)?;
    let rate = as_f64(events) / start.elapsed().as_secs_f64();
    daemon.kill()?;
    Ok(rate)
}

/// The others' throughput while one order is parked.
fn poison(args: &SubscriptionArgs, outbox: &mut Outbox<'_>, made: &Made, figures: &mut Figures) -> Result<()> {
    let mut ratios = Vec::new();
    for round in 1..=args.rounds {
        let without = drained(outbox, args.poison_events, |_| false)?;
        let mut first = true;
        let with = drained(outbox, args.poison_events - 1, |_| std::mem::take(&mut first))?;
        eprintln!("round {round}: {with:.0} events/s beside a poison order, {without:.0} without one");
        ratios.push(with / without);
    }
    let note = format!("{} events", targets::number(as_f64(args.poison_events)));
    figures.add(&targets::POISON, Figure::of(&ratios, note, made)?);
    Ok(())
}

/// p99 of commands at a fixed rate beside a drain and without one, by turns.
fn beside(args: &SubscriptionArgs, outbox: &mut Outbox<'_>, made: &Made, figures: &mut Figures) -> Result<()> {
    let mut ratios = Vec::new();
    for round in 1..=args.rounds {
        let (daemon, _) = outbox.start(false)?;
        let alone = paced(&daemon, args.rate, args.seconds)?.latency_us.p99;
        daemon.kill()?;
        let (daemon, name) = outbox.start(true)?;
        let mut consumer = Consumer::attach(daemon.socket(), &name, IN_FLIGHT_MAX)?;
        let with = std::thread::scope(|scope| -> Result<f64> {
            // It ends with the connection.
            let drain = move || drop(consumer.answer(u64::MAX, |_| false));
            let drain = std::thread::Builder::new().name("drain".to_owned()).spawn_scoped(scope, drain)?;
            let bench = paced(&daemon, args.rate, args.seconds);
            daemon.kill()?;
            drain.join().map_err(|_| anyhow!("the consumer panicked"))?;
            Ok(bench?.latency_us.p99)
        })?;
        eprintln!("round {round}: p99 {with:.0} µs beside a drain to a program, {alone:.0} µs alone");
        ratios.push(with / alone);
    }
    figures.add(&targets::SUBSCRIPTION_P99, Figure::of(&ratios, "", made)?);
    Ok(())
}

/// What parked lanes cost: starts and memory.
fn parked(args: &SubscriptionArgs, outbox: &mut Outbox<'_>, made: &Made, figures: &mut Figures) -> Result<()> {
    let none = parking(args, outbox, 0)?;
    let many = parking(args, outbox, args.lanes)?;
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let (without, with) = (start(outbox, &none)?, start(outbox, &many)?);
        eprintln!(
            "round {round}: ready after {:.0} ms with {:.0} MiB; without parked lanes {:.0} ms, {:.0} MiB",
            with.ready_ms, with.mib, without.ready_ms, without.mib
        );
        starts.push(with.ready_ms / without.ready_ms);
        memory.push(with.mib / without.mib);
    }
    let note = format!(
        "{} lanes, {} events behind",
        targets::number(as_f64(args.lanes)),
        targets::number(as_f64(args.events))
    );
    figures.add(&targets::PARKED_START, Figure::of(&starts, &note, made)?);
    figures.add(&targets::PARKED_MEMORY, Figure::of(&memory, &note, made)?);
    Ok(())
}

/// A sink of which `lanes` orders are parked, and as many events more delivered.
fn parking(args: &SubscriptionArgs, outbox: &mut Outbox<'_>, lanes: u64) -> Result<String> {
    let (daemon, name) = outbox.start(true)?;
    let mut consumer = Consumer::attach(daemon.socket(), &name, IN_FLIGHT_MAX)?;
    let (mut parked, mut even) = (HashSet::new(), false);
    // Every other order only: as many rejected in a row would halt the sink.
    consumer.answer(args.lanes * 4, |line| {
        even = !even;
        let wanted = even && as_u64(parked.len()) < lanes;
        wanted && subject_of(line).is_some_and(|subject| parked.insert(subject.to_vec()))
    })?;
    wait::until("the lanes are parked", DRAIN_MAX, LOOK_EVERY, || {
        Ok((daemon.number("/sinks/0/parked_lanes")? >= as_u64(parked.len())).then_some(()))
    })?;
    daemon.stop()?;
    Ok(name)
}

fn subject_of(line: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"\"subject\":\"";
    let start = memmem::find(line, NAME)? + NAME.len();
    line.get(start..start + 36)
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

struct Started {
    ready_ms: f64,
    mib: f64,
}

fn start(outbox: &Outbox<'_>, sink: &str) -> Result<Started> {
    forget_cached_files();
    let daemon = outbox.store.start(&settings(Some((sink.to_owned(), true))))?;
    let found = Started { ready_ms: daemon.ready_after.as_secs_f64() * 1e3, mib: mib(daemon.resident_bytes()?) };
    daemon.kill()?;
    Ok(found)
}
