//! The one thread that decides: it owns the store, runs commands against it, and makes their plans durable in batches.

mod batch;
#[cfg(test)]
mod batch_test;
mod command_loop;
#[expect(clippy::module_inception, reason = "the executor is the noun of this file and of this layer")]
mod executor;
mod inspector;
#[cfg(test)]
mod inspector_test;
mod operate;
mod operating;
mod operator_work;
mod stored;

pub use command_loop::{CommandLoop, Task};
pub use executor::{Executor, ExecutorOptions};
pub use inspector::{Finding, Inspector, InspectorHandle};
pub use operate::{EventRenderer, Operations};
