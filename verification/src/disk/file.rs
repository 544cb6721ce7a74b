//! A file: what the medium has, what the system shows, and what lies between the two.

use std::sync::Arc;

use super::Content;

/// The unit that a medium writes whole.
pub const SECTOR: u64 = 512;

/// What was done to a file and not yet made durable.
#[derive(Debug, Clone)]
pub enum FileOp {
    /// Bytes written at an offset.
    Write(u64, Arc<[u8]>),
    /// Cut or extended.
    SetLen(u64),
    /// Room reserved for this many bytes.
    Extend(u64),
}

/// A file.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// What a power cut cannot take back.
    pub durable: Content,
    /// What the running system shows.
    pub cache: Content,
    /// What was done since the last sync, oldest first.
    pub pending: Vec<FileOp>,
    /// A sync failed, and pages were marked clean that the medium never got.
    pub lost_pages: bool,
}

impl File {
    /// A file whose bytes are all durable.
    #[must_use]
    pub fn durable(content: Content) -> Self {
        Self { durable: content.clone(), cache: content, ..Self::default() }
    }

    /// Does something to what the running system shows.
    pub fn act(&mut self, op: FileOp) {
        apply(&op, &mut self.cache);
        self.pending.push(op);
    }

    /// Makes durable what is pending, and nothing else: lost pages stay lost.
    pub fn sync(&mut self) {
        for op in self.pending.drain(..) {
            apply(&op, &mut self.durable);
        }
    }

    /// Forgets clean pages: reads show the medium, and what is still to be written to it.
    pub fn drop_cache(&mut self) {
        if self.lost_pages {
            self.cache = self.durable.clone();
            for op in &self.pending {
                apply(op, &mut self.cache);
            }
            self.lost_pages = false;
        }
    }
}

/// What `op` makes of `content`.
pub fn apply(op: &FileOp, content: &mut Content) {
    match op {
        FileOp::Write(offset, bytes) => content.write(bytes, *offset),
        FileOp::SetLen(len) => content.set_len(*len),
        FileOp::Extend(len) if *len > content.len() => content.set_len(*len),
        FileOp::Extend(_) => {}
    }
}

/// A part of a write that lies in one sector: its offset in the file, and its place in the written bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it goes.
    pub offset: u64,
    /// Where it begins in the write's bytes.
    pub start: usize,
    /// How long it is.
    pub len: usize,
}

/// The pieces of a write of `len` bytes at `offset`.
pub fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let at = offset + start as u64;
        let room = usize::try_from(SECTOR - at % SECTOR).unwrap_or(usize::MAX);
        let piece = Piece { offset: at, start, len: room.min(len - start) };
        start += piece.len;
        (piece.len > 0).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_falls_into_sectors() {
        let of = |offset, len| pieces(offset, len).map(|piece| (piece.offset, piece.len)).collect::<Vec<_>>();
        assert_eq!(of(500, 1000), [(500, 12), (512, 512), (1024, 476)]);
        assert_eq!(of(512, 512), [(512, 512)]);
        assert_eq!(of(7, 0), []);
    }

    #[test]
    fn lost_pages_are_seen_until_the_cache_is_dropped() {
        let mut file = File::durable(Content::from_bytes(b"old"));
        file.act(FileOp::Write(0, b"new"[..].into()));
        // A failed sync: the system forgets that the page was dirty.
        file.pending.clear();
        file.lost_pages = true;
        file.act(FileOp::Write(3, b"!"[..].into()));
        file.sync();
        assert_eq!((file.cache.to_bytes(), file.durable.to_bytes()), (b"new!".to_vec(), b"old!".to_vec()));
        file.drop_cache();
        assert_eq!(file.cache.to_bytes(), b"old!");
    }
}
