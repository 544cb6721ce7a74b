//! The bytes that a client has sent and nobody has looked at yet, cut into lines.

use std::io::{self, Read};

/// How much room there is at first, and again once a connection has been quiet.
const BYTES_MIN: usize = 16 * 1024;
/// How much a connection that keeps its buffer full may be read ahead.
const BYTES_BUSY: usize = 64 * 1024;
/// With less room than this a read would not be worth its system call.
const ROOM_MIN: usize = 4 * 1024;

/// Holds at most one line of the greatest length, or [`BYTES_BUSY`] bytes of shorter ones.
#[derive(Debug)]
pub(super) struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the first line begins.
    start: usize,
    /// Up to where there is no line end.
    searched: usize,
    /// Up to where there is something.
    end: usize,
    line_bytes_max: usize,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextLine<'a> {
    /// A whole line, its end cut off.
    Whole(&'a [u8]),
    /// The beginning of a line.
    Part,
    /// Nothing at all.
    Nothing,
    /// More bytes than a line may have.
    TooLong,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// As much as there was room for: there may be more.
    ToTheBrim,
    /// Everything there was.
    Partly,
    /// The end: the client sends nothing more.
    End,
}

impl LineBuffer {
    pub(super) const fn new(line_bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, searched: 0, end: 0, line_bytes_max }
    }

    /// The next line, taken out if it is whole.
    pub(super) fn next_line(&mut self) -> NextLine<'_> {
        let unsearched = self.bytes.get(self.searched..self.end).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\n', unsearched) else {
            self.searched = self.end;
            return match self.end - self.start {
                0 => NextLine::Nothing,
                waiting if waiting <= self.line_bytes_max => NextLine::Part,
                _ => NextLine::TooLong,
            };
        };
        let (start, end) = (self.start, self.searched + length);
        if end - start > self.line_bytes_max {
            return NextLine::TooLong;
        }
        self.start = end + 1;
        self.searched = self.start;
        NextLine::Whole(self.bytes.get(start..end).unwrap_or_default())
    }

    /// Whether there are more whole lines than this.
    pub(super) fn holds_more_lines_than(&self, count: usize) -> bool {
        let unsearched = self.bytes.get(self.searched..self.end).unwrap_or_default();
        memchr::memchr_iter(b'\n', unsearched).nth(count).is_some()
    }

    /// What is in it.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.bytes.get(self.start..self.end).unwrap_or_default().to_vec()
    }

    /// Reads once.
    pub(super) fn fill(&mut self, source: &mut impl Read) -> io::Result<Filled> {
        self.make_room();
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            return Ok(Filled::ToTheBrim);
        }
        let count = source.read(room)?;
        let full = count == room.len();
        self.end += count;
        Ok(match count {
            0 => Filled::End,
            _ if full => Filled::ToTheBrim,
            _ => Filled::Partly,
        })
    }

    /// Whether the next line may be whole.
    pub(super) const fn may_hold_whole(&self) -> bool {
        self.searched < self.end
    }

    /// Whether there is anything in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How much is in it.
    pub(super) const fn held_bytes(&self) -> usize {
        self.end - self.start
    }

    /// Throws away what is in it.
    pub(super) fn clear(&mut self) {
        (self.start, self.searched, self.end) = (0, 0, 0);
    }

    /// Gives memory back when there is nothing in it.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() && self.bytes.len() > BYTES_MIN {
            self.clear();
            self.bytes = Vec::new();
        }
    }

    fn make_room(&mut self) {
        if self.is_empty() {
            self.clear();
        }
        if self.bytes.len() - self.end >= ROOM_MIN {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.searched -= self.start;
        self.start = 0;
        // Twice the room each time, but never more than the longest line and the byte that makes it too long.
        if self.bytes.len() - self.end < ROOM_MIN {
            let bytes_max = BYTES_BUSY.max(self.line_bytes_max + 1);
            let grown = (self.bytes.len() * 2).clamp(BYTES_MIN, bytes_max);
            self.bytes.resize(grown.max(self.bytes.len()), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(buffer: &mut LineBuffer) -> Vec<String> {
        let mut lines = Vec::new();
        while let NextLine::Whole(line) = buffer.next_line() {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
        lines
    }

    /// Gives out its bytes in pieces of one size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(room.len()).min(self.0.len());
            room[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn pieces_of_any_size_make_the_same_lines() {
        let text: String = (0..3000).map(|n| format!("{}\n", "x".repeat(n % 97))).collect();
        let expected: Vec<&str> = text.lines().collect();
        for piece in [1, 7, 96, 97, 98, 4096, 1 << 20] {
            let (mut buffer, mut source) = (LineBuffer::new(100), Pieces(text.as_bytes(), piece));
            let mut lines = Vec::new();
            while buffer.fill(&mut source).unwrap() != Filled::End {
                lines.extend(lines_of(&mut buffer));
            }
            assert_eq!(lines, expected, "pieces of {piece}");
            assert_eq!(buffer.next_line(), NextLine::Nothing);
        }
    }

    #[test]
    fn a_line_of_the_limit_is_whole_and_one_byte_more_is_too_long() {
        for limit in [1, 100, 4096, BYTES_BUSY - 1, BYTES_BUSY, BYTES_BUSY + 1, 300_000] {
            for (bytes, fits) in [(limit, true), (limit + 1, false)] {
                let text = [vec![b'x'; bytes], b"\n".to_vec()].concat();
                let (mut buffer, mut source) = (LineBuffer::new(limit), Pieces(&text, usize::MAX));
                let found = loop {
                    match buffer.next_line() {
                        NextLine::Whole(line) => break line.len() == bytes,
                        NextLine::TooLong => break false,
                        NextLine::Part | NextLine::Nothing => {}
                    }
                    buffer.fill(&mut source).unwrap();
                };
                assert_eq!(found, fits, "{bytes} bytes with a limit of {limit}");
            }
        }
    }

    #[test]
    fn endless_input_without_a_line_end_is_never_held_beyond_the_limit() {
        let text = vec![b'x'; 1 << 20];
        let (mut buffer, mut source) = (LineBuffer::new(200_000), Pieces(&text, usize::MAX));
        while buffer.next_line() != NextLine::TooLong {
            buffer.fill(&mut source).unwrap();
        }
        assert_eq!(buffer.bytes.len(), 200_001);
        buffer.clear();
        buffer.shrink();
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
