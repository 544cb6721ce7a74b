use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, bounded};

use super::*;
use crate::contracts::{Decision, Lsn, Sequence, SinkStatus, SinkType};
use crate::testkit::SteppedClock;

struct World {
    clock: SteppedClock,
    has_room: Arc<AtomicBool>,
    decided: Receiver<DecisionBatch>,
    inbox: Arc<DecisionInbox>,
    monitor: Arc<SinkMonitor>,
}

/// A registration of the sink `mail`, whose cursor finds room when the world has some.
fn registration() -> (Registration, World) {
    let (decide, decided) = bounded(1);
    let status = SinkStatus::new("mail".to_owned(), SinkType::File, Sequence::ZERO);
    let (inbox, monitor) = (DecisionInbox::new(Box::new(|| {})), SinkMonitor::new(status));
    let (clock, has_room) = (SteppedClock::default(), Arc::<AtomicBool>::default());
    let world = World { clock, has_room, decided, inbox: Arc::new(inbox), monitor: Arc::new(monitor) };
    let has_room = Arc::clone(&world.has_room);
    let no_room = || ProgressError::TryAgain("create x: the disk is full".to_owned());
    let ports = RegistrationPorts {
        make_cursor: Some(Box::new(move || has_room.load(Ordering::Relaxed).then_some(()).ok_or_else(no_room))),
        clock: Arc::new(world.clock.clone()),
        decide,
        uid: 7,
        inbox: Arc::clone(&world.inbox),
        monitor: Arc::clone(&world.monitor),
    };
    let start =
        SinkStartPoint { sink_type: SinkType::File, after: Sequence(3), snapshot: None, source: Arc::from("/orderd") };
    (Registration::new(Arc::from("mail"), start, ports), world)
}

impl World {
    fn step(&self, registration: &mut Registration) -> Registered {
        let step = registration.step().unwrap();
        if let Registered::NotBefore(at) = step {
            self.clock.advance(at.saturating_sub(self.clock.monotonic()));
        }
        step
    }

    /// How the sink shows itself.
    fn shown(&self) -> (SinkState, String) {
        let status = self.monitor.read();
        (status.state, status.last_error.unwrap_or_default())
    }
}

fn durable(ticket: Option<u64>, decision: Decision) -> DecisionNews {
    DecisionNews::Durable { ticket, lsn: Lsn(9), decision: Arc::new(decision), row: None }
}

#[test]
fn a_sink_is_recorded_once_there_is_room_for_its_cursor_and_for_its_record() {
    let (mut registration, world) = registration();
    assert!(matches!(world.step(&mut registration), Registered::NotBefore(_)));
    assert!(world.decided.is_empty(), "nothing is recorded that has no cursor");
    let (state, error) = world.shown();
    assert!(state == SinkState::Retrying && error.contains("create x: the disk is full"), "{error}");
    world.has_room.store(true, Ordering::Relaxed);
    assert!(matches!(world.step(&mut registration), Registered::NotBefore(_)));
    let asked = world.decided.try_recv().unwrap();
    assert!(matches!(&asked.decisions[..], [Decision { kind: DecisionKind::Registered(_), .. }]), "{asked:?}");
    // The journal has no room: it is asked again.
    world.inbox.put([DecisionNews::Full { ticket: asked.ticket }]);
    assert!(matches!(world.step(&mut registration), Registered::NotBefore(_)));
    assert!(world.shown().1.contains("none for its record"));
    assert!(matches!(world.step(&mut registration), Registered::NotBefore(_)));
    assert_eq!(world.decided.try_recv().unwrap(), asked);
    world.inbox.put([durable(Some(asked.ticket), asked.decisions[0].clone())]);
    assert_eq!(world.step(&mut registration), Registered::Done);
    assert_eq!(world.shown(), (SinkState::Idle, String::new()));
}

#[test]
fn what_was_decided_after_the_registration_is_left_to_the_worker() {
    let (mut registration, world) = registration();
    world.has_room.store(true, Ordering::Relaxed);
    world.step(&mut registration);
    let asked = world.decided.try_recv().unwrap();
    let pause = durable(None, Decision { kind: DecisionKind::Paused, ..asked.decisions[0].clone() });
    world.inbox.put([durable(Some(asked.ticket), asked.decisions[0].clone()), pause.clone()]);
    assert_eq!(world.step(&mut registration), Registered::Done);
    assert_eq!(world.inbox.take(), VecDeque::from([pause]));
}
