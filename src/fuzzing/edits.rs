//! What can happen to bytes at rest.

use super::input::Input;

/// Does one thing to `bytes`; gives the offset of the first byte that may have changed.
pub fn edit(bytes: &mut Vec<u8>, input: &mut Input<'_>) -> usize {
    const SECTOR: usize = 512;
    if bytes.is_empty() {
        bytes.extend_from_slice(input.bytes(64));
        return 0;
    }
    let kind = input.byte() % 8;
    let at = input.below(bytes.len());
    match kind {
        0 => bytes[at] ^= 1 << (input.byte() % 8),
        1 => bytes[at] = input.byte(),
        2 => {
            let new = input.bytes(8);
            let end = bytes.len().min(at + new.len());
            bytes[at..end].copy_from_slice(&new[..end - at]);
        }
        3 => bytes.truncate(at),
        4 => {
            let count = input.below(256) + 1;
            let value = if input.byte().is_multiple_of(2) { 0 } else { 0xff };
            let end = bytes.len().min(at + count);
            bytes[at..end].fill(value);
        }
        5 => {
            let sector = at / SECTOR * SECTOR;
            let end = bytes.len().min(sector + SECTOR);
            bytes[sector..end].fill(0);
            return sector;
        }
        6 => {
            let from = input.below(bytes.len());
            let count = (input.below(256) + 1).min(bytes.len() - at).min(bytes.len() - from);
            bytes.copy_within(from..from + count, at);
        }
        _ => {
            let new = input.bytes(48);
            let len = bytes.len();
            bytes.extend_from_slice(new);
            return len;
        }
    }
    at
}
