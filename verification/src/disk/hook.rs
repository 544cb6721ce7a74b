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

/// Does something to another disk, during which the hook is not called, and after which it is there again.
pub fn without<T>(act: impl FnOnce() -> T) -> T {
    let hook = WHILE_SYNCING.with(|place| place.borrow_mut().take());
    let done = act();
    WHILE_SYNCING.with(|place| *place.borrow_mut() = hook);
    done
}

pub(super) fn while_syncing() {
    let Some(mut hook) = WHILE_SYNCING.with(|place| place.borrow_mut().take()) else { return };
    hook();
    WHILE_SYNCING.with(|place| *place.borrow_mut() = Some(hook));
}
