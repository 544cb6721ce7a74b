//! The pages. Whatever is on them came through the templates' escaping; no page has a script or a style of its own.

mod chart;
mod command;
mod format;
mod groups;
mod layout;
mod order;
mod overview;
mod parked;
mod parts;
mod problem;
mod sink;
mod storage;
mod value;

pub use order::{find_order, order};
pub use overview::overview;
pub use parked::parked;
pub use sink::sink;
pub use storage::storage;
