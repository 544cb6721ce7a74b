//! Tells how much of a sink's file is whole, after a crash.

use crate::contracts::{EventPlace, Held, Sequence};
use crate::relay::cloud_event::PREFIX;

/// The smallest unit that a power cut loses: a sector.
const SECTOR_BYTES: u64 = 512;

/// What the end of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Whole lines.
    Whole,
    /// A batch that was being written when the process or the machine stopped. It was not acknowledged, so all of it
    /// comes again. Whole lines end at `whole_bytes`.
    Torn {
        /// How much of the file to keep.
        whole_bytes: u64,
    },
    /// From `offset` on, something that we did not write, in a file that does not end in our lines either: not ours to
    /// cut, and not ours to append to.
    Foreign {
        /// Where it begins.
        offset: u64,
    },
}

/// Judges a file by its last bytes, which begin at `offset`. They must cover the last batch: what was written before
/// it had been synced, and cannot have been lost.
///
/// A kill leaves a batch cut short. A power cut may also leave NUL bytes in it, where the file system had noted the
/// file's new length and not yet written the sectors; our lines never hold a NUL.
pub(super) fn classify(tail: &[u8], offset: u64) -> Tail {
    let lost = tail.iter().position(|byte| *byte == 0);
    let (kept, rest) = tail.split_at(lost.unwrap_or(tail.len()));
    let whole = kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let (before, partial) = kept.split_at(whole);
    if partial.is_empty() && rest.is_empty() {
        return Tail::Whole;
    }
    let whole_bytes = offset + whole as u64;
    let begins_unseen = whole == 0 && offset > 0;
    // Behind a line of ours, what has no end is ours too, whatever the disk made of it.
    let is_ours = begins_like_an_event(partial) || ends_in_an_event(before);
    if begins_unseen || !is_ours || !lost_in_sectors(rest, offset + kept.len() as u64) {
        return Tail::Foreign { offset: whole_bytes };
    }
    Tail::Torn { whole_bytes }
}

fn begins_like_an_event(partial: &[u8]) -> bool {
    let prefix = PREFIX.as_bytes();
    partial.iter().zip(prefix).all(|(byte, expected)| byte == expected)
}

/// Whether the last of these whole lines is an event.
fn ends_in_an_event(lines: &[u8]) -> bool {
    let last = lines.strip_suffix(b"\n").unwrap_or_default().rsplit(|byte| *byte == b'\n').next();
    last.is_some_and(|line| line.starts_with(PREFIX.as_bytes()))
}

/// Whether `rest`, which begins with a NUL at `offset` or is empty, is what a power cut may leave of our lines: text
/// in which whole sectors are NUL. Files of other programs that hold NULs do not look like this.
fn lost_in_sectors(rest: &[u8], offset: u64) -> bool {
    let mut previous = 0;
    for (position, byte) in (offset..).zip(rest) {
        let run_ended = previous == 0 && *byte != 0;
        if (run_ended && !position.is_multiple_of(SECTOR_BYTES)) || (*byte != 0 && *byte != b'\n' && *byte < b' ') {
            return false;
        }
        previous = *byte;
    }
    true
}

/// What a part of a file holds of the lines that are to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Compared {
    /// Lines that are there already, from the first on.
    pub(super) held: Held,
    /// How far the file was compared: after the last of them, and after lines of others.
    pub(super) compared: usize,
    /// Whether something of ours follows that is not the next line.
    pub(super) ended: bool,
    /// Whether that has to be cut off.
    pub(super) cut: bool,
}

/// Compares whole lines of a file, `found`, with the `lines` that follow what is acknowledged.
///
/// Lines that others have put in between are passed. A line of an earlier epoch ends the comparison and stays: a backup
/// was restored, and that line was delivered before.
pub(super) fn compare(found: &[u8], lines: &[u8]) -> Compared {
    let mut result = Compared::default();
    let mut found_lines = found.split_inclusive(|byte| *byte == b'\n').peekable();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        // Lines of others.
        while let Some(other) = found_lines.next_if(|other| other.ends_with(b"\n") && is_of_others(other)) {
            result.compared += other.len();
        }
        match found_lines.next().filter(|other| other.ends_with(b"\n")) {
            Some(other) if other == line => {
                result.compared += other.len();
                result.held.events += 1;
                result.held.bytes += line.len();
            }
            Some(other) => {
                (result.ended, result.cut) = (true, epoch_of(other) >= epoch_of(line));
                break;
            }
            None => break,
        }
    }
    result
}

fn is_of_others(line: &[u8]) -> bool {
    !line.starts_with(PREFIX.as_bytes()) && !line.contains(&0)
}

/// The last event of a file, by its last bytes.
pub(super) fn last_event(tail: &[u8]) -> Option<EventPlace> {
    let mut lines = tail.split_inclusive(|byte| *byte == b'\n').rev();
    let line = lines.find(|line| line.starts_with(PREFIX.as_bytes()) && line.ends_with(b"\n"))?;
    let sequence = Sequence(number_after(line, br#""sequence":""#)?);
    Some(EventPlace { epoch: epoch_of(line)?, sequence })
}

/// The epoch that a line of ours carries; none for one that cannot be read.
fn epoch_of(line: &[u8]) -> Option<u32> {
    u32::try_from(number_after(line, br#""storeepoch":"#)?).ok()
}

fn number_after(line: &[u8], name: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(line, name)? + name.len();
    let mut digits = line.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    digits.try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(*digit - b'0')))
}

#[cfg(test)]
#[path = "file_tail_test.rs"]
mod tests;
