//! Every crash state: short scripts over the code that ships, of which the power is cut before every call that changes
//! the disk, with everything left behind that a power cut can leave.
//!
//! A script is recorded: the disk before each call, and what was certain then. At each of these points all that a
//! power cut could leave of what was not synced is enumerated. Each state that was not met before is recovered,
//! compared with what was certain, and worked on; and of one recovery in this many the crash states are enumerated again.

mod backups;
mod campaign;
mod case_id;
mod check;
mod crash_subsets;
mod expectations;
mod explorer;
mod scenarios;
mod script_runner;
mod size;
mod visited;

pub use campaign::{Scripts, caught};
pub use case_id::CaseId;
pub use explorer::replay;
pub use size::Size;
