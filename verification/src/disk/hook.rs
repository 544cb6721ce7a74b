//! What other threads do while one waits for a sync: with one thread, they do it inside of the call.

use std::cell::RefCell;

type Hook = Box<dyn FnMut()>;

thread_local! {
    static WHILE_SYNCING: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Calls `hook` at every sync of a file until [`clear`]; not while it is at work itself.
pub fn set(hook: Hook) {
    WHILE_SYNCING.with(|place| *place.borrow_mut() = Some(hook));
}

/// Calls nothing any more.
pub fn clear() {
    WHILE_SYNCING.with(|place| *place.borrow_mut() = None);
}

pub(super) fn while_syncing() {
    let Some(mut hook) = WHILE_SYNCING.with(|place| place.borrow_mut().take()) else { return };
    hook();
    WHILE_SYNCING.with(|place| *place.borrow_mut() = Some(hook));
}
