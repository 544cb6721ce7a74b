//! The worker in its thread: what wakes it, what ends it, and when it shows that it lives.

use std::thread::JoinHandle;
use std::time::Instant;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

fn run(world: &World) -> (Arc<Control>, Arc<Heartbeat>, JoinHandle<Result<(), WorkerError>>) {
    let (worker, control) = (world.start(), Arc::new(Control::default()));
    let (heartbeat, heard) = (worker.heartbeat(), Arc::clone(&control));
    let thread = std::thread::Builder::new().name("relay-events".to_owned());
    (control, heartbeat, thread.spawn(move || worker.run(&heard)).unwrap())
}

#[track_caller]
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_signal_wakes_the_worker_and_stop_saves_the_cursor() {
    let world = World::default();
    let (control, _, thread) = run(&world);
    for durable in 1..=15 {
        world.outbox.grow_to(durable);
        control.durable();
        eventually("the event arrives", || world.sink.acknowledged() == durable);
    }
    assert_eq!(world.saved(), 0);
    control.stop();
    thread.join().unwrap().unwrap();
    assert_eq!(world.saved(), 15);
}

#[test]
fn what_is_durable_at_stop_still_goes_out_but_a_failing_sink_is_not_waited_for() {
    let world = World::with(500);
    let control = Control::default();
    control.stop();
    world.start().run(&control).unwrap();
    assert_eq!((world.sink.acknowledged(), world.saved()), (500, 500));
    world.outbox.grow_to(501);
    world.sink.fail_next(u64::MAX);
    world.start().run(&control).unwrap();
    assert_eq!((world.last_offer(), world.saved()), ((501, 501, false), 500));
}

/// Takes every batch, and half a second for each.
struct LateSink(FakeSink, SteppedClock);

impl Sink for LateSink {
    fn deliver(&mut self, delivery: &crate::contracts::Delivery<'_>) -> Result<(), SinkError> {
        self.1.advance(500 * MS);
        self.0.deliver(delivery)
    }

    fn reopen(&mut self) {}
}

#[test]
fn a_worker_that_stops_goes_on_no_longer_than_it_may() {
    for (drain_max, taken) in [(1000 * MS, 30), (1001 * MS, 40), (Duration::ZERO, 10)] {
        let world = World::with(500);
        let cursor = CursorFile::create(&world.storage, "events", STORE_ID, position(0)).unwrap();
        let sink = Box::new(LateSink(world.sink.clone(), world.clock.clone()));
        let settings = WorkerSettings { drain_max, ..settings() };
        let worker = world.worker(&settings, sink, cursor);
        let control = Control::default();
        control.stop();
        worker.run(&control).unwrap();
        assert_eq!((world.sink.acknowledged(), world.saved()), (taken, taken), "{drain_max:?}");
    }
}

#[test]
fn stop_ends_the_wait_for_a_failing_sink() {
    let world = World::with(10);
    world.sink.fail_next(u64::MAX);
    let (control, heartbeat, thread) = run(&world);
    let monitor_retries = || !world.sink.offers().is_empty() && heartbeat.may_be_quiet() && !heartbeat.in_delivery();
    eventually("the worker waits for the sink", monitor_retries);
    control.stop();
    thread.join().unwrap().unwrap();
    assert_eq!(world.saved(), 0);
}

#[test]
fn a_reopen_reaches_the_sink_of_an_idle_worker_and_of_one_that_waits_for_its_sink() {
    for failures in [0, 1] {
        let world = World::with(5);
        world.sink.fail_next(failures);
        let (control, heartbeat, thread) = run(&world);
        let rests = || !world.sink.offers().is_empty() && heartbeat.may_be_quiet() && !heartbeat.in_delivery();
        eventually("the worker waits", rests);
        control.reopen();
        eventually("the sink is reopened", || world.sink.reopened() == 1);
        eventually("the wait is over", || world.sink.acknowledged() == 5);
        control.stop();
        thread.join().unwrap().unwrap();
        assert_eq!((world.sink.reopened(), world.saved()), (1, 5), "once, and that was all");
    }
}

#[test]
fn a_sink_at_work_is_no_sign_of_a_hang() {
    let world = World::with(5);
    let (entered, enter) = crossbeam_channel::bounded(0);
    let (leave, left) = crossbeam_channel::bounded(0);
    let sink = Box::new(SlowSink { entered, left });
    let cursor = CursorFile::create(&world.storage, "events", STORE_ID, position(0)).unwrap();
    let worker = world.worker(&settings(), sink, cursor);
    let (control, heartbeat, monitor) = (Arc::new(Control::default()), worker.heartbeat(), worker.monitor());
    let heard = Arc::clone(&control);
    let thread = std::thread::Builder::new().spawn(move || worker.run(&heard)).unwrap();
    enter.recv_timeout(DEADLINE).unwrap();
    assert!(heartbeat.in_delivery() && heartbeat.may_be_quiet());
    assert_eq!(monitor.read().state, SinkState::Delivering);
    leave.send(()).unwrap();
    control.stop();
    thread.join().unwrap().unwrap();
    assert!(!heartbeat.in_delivery());
    assert_eq!((monitor.read().state, world.saved()), (SinkState::Stopped, 5));
}

/// Says when it is offered a batch, and takes it when it is told to.
struct SlowSink {
    entered: crossbeam_channel::Sender<()>,
    left: crossbeam_channel::Receiver<()>,
}

impl Sink for SlowSink {
    fn deliver(&mut self, _: &crate::contracts::Delivery<'_>) -> Result<(), SinkError> {
        self.entered.send(()).unwrap();
        self.left.recv_timeout(DEADLINE).unwrap();
        Ok(())
    }

    fn reopen(&mut self) {}
}

#[test]
fn a_waiting_worker_does_not_beat_and_need_not() {
    let world = World::default();
    let (control, heartbeat, thread) = run(&world);
    eventually("the worker waits", || heartbeat.may_be_quiet());
    let beats = heartbeat.beats();
    let (_never, silence) = crossbeam_channel::bounded::<()>(0);
    assert!(silence.recv_timeout(Duration::from_millis(250)).is_err());
    assert!(heartbeat.may_be_quiet());
    assert_eq!(heartbeat.beats(), beats, "an idle worker does not poll");
    control.stop();
    thread.join().unwrap().unwrap();
}

/// Its reader is gone for good.
struct BrokenSink;

impl Sink for BrokenSink {
    fn deliver(&mut self, _: &crate::contracts::Delivery<'_>) -> Result<(), SinkError> {
        let source = io::ErrorKind::BrokenPipe.into();
        Err(SinkError { operation: "write to", target: "standard output".to_owned(), is_final: true, source })
    }

    fn reopen(&mut self) {}
}

#[test]
fn a_target_that_never_comes_back_ends_the_worker_and_is_shown() {
    let world = World::with(10);
    let cursor = CursorFile::create(&world.storage, "events", STORE_ID, position(0)).unwrap();
    let worker = world.worker(&settings(), Box::new(BrokenSink), cursor);
    let monitor = worker.monitor();
    assert!(matches!(worker.run(&Control::default()), Err(WorkerError::Target(_))));
    let status = monitor.read();
    assert_eq!(status.state, SinkState::Stopped);
    assert!(status.last_error.unwrap().starts_with("the sink cannot go on: write to standard output"));
}
