//! Where events can go.

mod file;
mod file_tail;
mod stdout;

pub use file::FileSink;
pub use stdout::StdoutSink;
