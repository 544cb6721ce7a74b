//! The one thread that decides: it owns the store, runs commands against it, and makes their plans durable in batches.

mod command_loop;
mod executor;

pub use command_loop::{CommandLoop, Task};
pub use executor::{Executor, ExecutorOptions};
