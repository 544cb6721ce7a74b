//! Work on many numbers with all cores, one thread a number.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

thread_local! {
    static NOW: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// Calls `work` with each number of `from..to`, on `threads` threads, and hands the results to `take`, one at a time
/// and in no certain order. `take` says whether to go on. A panic tells `replay` of its number before anything else.
pub fn each<T: Send>(
    range: std::ops::Range<u64>,
    threads: usize,
    replay: fn(u64) -> String,
    work: impl Fn(u64) -> T + Sync,
    take: impl FnMut(T) -> bool + Send,
) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Some(number) = NOW.get() {
            eprintln!("a panic; replay: {}", replay(number));
        }
        before(info);
    }));
    let next = AtomicU64::new(range.start);
    let (go_on, take) = (AtomicBool::new(true), Mutex::new(take));
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while go_on.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= range.end {
                        break;
                    }
                    NOW.set(Some(number));
                    let result = work(number);
                    NOW.set(None);
                    let Ok(mut take) = take.lock() else { break };
                    if !take(result) {
                        go_on.store(false, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    drop(std::panic::take_hook());
}

/// As many as there are cores.
#[must_use]
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
