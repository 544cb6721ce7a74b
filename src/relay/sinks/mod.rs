//! Where events can go.

mod file;
mod file_tail;
mod stream;

pub use file::FileSink;
pub use stream::StreamSink;
