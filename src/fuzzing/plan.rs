//! A frame's body, and what replaying it does to a state.

use super::base::base;
use super::input::Input;
use crate::contracts::Lsn;
use crate::repo::{PlanRecord, StoreState};

/// What is read as a plan is read the same when it is written again; replaying it fits or is refused.
pub fn plan(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.byte();
    let body = if mode & 1 == 0 {
        input.rest().to_vec()
    } else {
        // One that was really written, with a few bytes changed.
        let bodies = &base().bodies;
        let mut body = bodies[input.below(bodies.len())].clone();
        for _ in 0..mode / 2 % 4 {
            super::edits::edit(&mut body, &mut input);
        }
        body
    };
    let Ok(stored) = PlanRecord::decode(&body) else { return };
    let again = stored.encode_again();
    assert_eq!(PlanRecord::decode(&again).as_ref(), Ok(&stored));
    if mode & 8 == 8 {
        let mut state = StoreState::new(4);
        let first = state.redo(Lsn(1), &stored, Lsn(u64::from(mode / 16)));
        if first.is_ok() {
            // The same plan twice fits only where the state may hold it already.
            let before = (state.orders.count(), state.last_sequence);
            if state.redo(Lsn(2), &stored, Lsn::ZERO).is_ok() {
                assert_ne!((state.orders.count(), state.last_sequence), (before.0 + 1, before.1));
            }
        }
    }
}
