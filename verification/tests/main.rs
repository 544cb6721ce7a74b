//! The proofs at the size that every change can afford; the programs run any size.

mod damage;
mod delivery;
mod simulation;
mod states;

/// The full size where the code is optimised, a taste of it where it is not.
fn sized(full: u64) -> u64 {
    if cfg!(debug_assertions) { full / 100 } else { full }
}
