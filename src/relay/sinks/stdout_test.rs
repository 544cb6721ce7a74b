use super::*;
use crate::relay::testing::lines;

/// Takes a few bytes at a time, and then fails for a while.
#[derive(Default)]
struct Hesitant {
    taken: Vec<u8>,
    calls: usize,
    broken: bool,
    flushed: usize,
}

impl Write for Hesitant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        match self.calls % 7 {
            _ if self.broken => Err(io::ErrorKind::BrokenPipe.into()),
            3 => Err(io::ErrorKind::Interrupted.into()),
            5 => Err(io::ErrorKind::WouldBlock.into()),
            6 => Ok(0),
            _ => {
                let count = bytes.len().min(100);
                self.taken.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = self.taken.len();
        Ok(())
    }
}

fn deliver(sink: &mut StdoutSink<Hesitant>, first: u64, last: u64) -> Result<(), SinkError> {
    let events = usize::try_from(last - first + 1).unwrap();
    sink.deliver(&Delivery { lines: &lines(first, last), events, first: Sequence(first), last: Sequence(last) })
}

#[test]
fn a_batch_that_was_taken_in_part_goes_on_where_it_stopped() {
    let mut sink = StdoutSink::new("a pipe", Hesitant::default());
    let mut failures = 0;
    for batch in 0..20 {
        while let Err(error) = deliver(&mut sink, 3 * batch + 1, 3 * batch + 3) {
            failures += 1;
            assert_ne!(error.source.kind(), io::ErrorKind::Interrupted, "a signal is no failure");
        }
        assert_eq!(sink.stream.flushed, sink.stream.taken.len());
        assert_eq!(sink.stream.taken, lines(1, 3 * batch + 3));
    }
    assert!(failures > 20, "{failures}");
}

#[test]
fn a_reader_that_went_away_is_an_error_each_time() {
    let mut sink = StdoutSink::new("a pipe", Hesitant { broken: true, ..Hesitant::default() });
    for _ in 0..3 {
        let error = deliver(&mut sink, 1, 2).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::BrokenPipe);
        assert!(error.to_string().starts_with("write to a pipe: "), "{error}");
    }
    sink.reopen();
    sink.stream.broken = false;
    while deliver(&mut sink, 1, 2).is_err() {}
    assert_eq!(sink.stream.taken, lines(1, 2));
}

#[test]
fn standard_output_is_a_stream() {
    let sink = StdoutSink::stdout().unwrap();
    assert_eq!(sink.name, "standard output");
}
