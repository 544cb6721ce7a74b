//! What a power cut leaves of a disk.
//!
//! Everything synced stays. Of the rest any part may be there: each sector of each write by itself, each change of a
//! length, each change of a directory's entries. A sector that was being written may hold a beginning or an end of the
//! new bytes and the old ones for the rest; one that was never written before may hold zeros or anything at all. What a
//! medium is trusted with is this: bytes that were synced do not change by themselves, and a byte that is written over
//! with the same value keeps it (sectors are written whole, or torn between old and new).

use std::collections::BTreeMap;

use super::file::{FileOp, apply, pieces};
use super::tree::{self, Dir, Inode, Node, ROOT, Tree};
use super::{Content, File};
use crate::rng::Rng;

/// What becomes of a sector's part of an unsynced write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    Kept,
    /// It is not.
    Lost,
    /// It is not, but the file is as long as if it were.
    Sized,
    /// So many bytes of its beginning are there.
    Prefix(usize),
    /// All but so many bytes of its beginning are there.
    Suffix(usize),
    /// Anything is there; follows from the number.
    Noise(u64),
}

/// A sector's part of an unsynced write.
#[derive(Debug, Clone, Copy)]
pub struct Unsynced {
    /// Counts the unsynced operations of the disk.
    pub op: usize,
    /// Which sector of the write it is.
    pub piece: usize,
    /// How many bytes.
    pub len: usize,
    /// Whether nothing was ever durable there.
    pub fresh: bool,
}

/// Decides what a power cut leaves.
pub trait Fates {
    /// Of a sector's part of a write.
    fn piece(&mut self, at: Unsynced) -> Fate;

    /// Whether the change of a length is there; operations are counted together with all others.
    fn length(&mut self, op: usize) -> bool;

    /// Whether the change of a directory's entries is there.
    fn entry(&mut self, op: usize) -> bool;
}

/// The disk as it comes back after a power cut.
pub fn crash(before: &Tree, fates: &mut dyn Fates) -> Tree {
    let stale: Vec<Content> = before
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::File(file) if file.durable.written() > 0 => Some(file.durable.clone()),
            Node::File(_) | Node::Dir(_) => None,
        })
        .collect();
    let mut after = Tree { nodes: Vec::with_capacity(before.nodes.len()) };
    let mut crash = Crash { before, stale, fates, ops: 0 };
    crash.node(ROOT, &mut after);
    after
}

/// How many unsynced operations a power cut would decide about, and which of them are writes of how many bytes.
pub fn unsynced(tree: &Tree) -> Vec<UnsyncedOp> {
    struct Collect(Vec<UnsyncedOp>);
    impl Fates for Collect {
        fn piece(&mut self, at: Unsynced) -> Fate {
            match self.0.get_mut(at.op) {
                Some(UnsyncedOp::Write(sizes)) => sizes.push(at.len),
                Some(_) | None => self.0.push(UnsyncedOp::Write(vec![at.len])),
            }
            // Kept, so that what lies behind a new name is counted, too.
            Fate::Kept
        }

        fn length(&mut self, _op: usize) -> bool {
            self.0.push(UnsyncedOp::Length);
            true
        }

        fn entry(&mut self, _op: usize) -> bool {
            self.0.push(UnsyncedOp::Entry);
            true
        }
    }
    let mut collect = Collect(Vec::new());
    crash(tree, &mut collect);
    collect.0
}

/// An operation that a power cut may take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsyncedOp {
    /// A write; the bytes in each of its sectors.
    Write(Vec<usize>),
    /// A change of a length.
    Length,
    /// A change of a directory's entries.
    Entry,
}

struct Crash<'a> {
    before: &'a Tree,
    stale: Vec<Content>,
    fates: &'a mut dyn Fates,
    ops: usize,
}

impl Crash<'_> {
    fn next_op(&mut self) -> usize {
        self.ops += 1;
        self.ops - 1
    }

    fn node(&mut self, inode: Inode, after: &mut Tree) -> Inode {
        match &self.before.nodes[inode] {
            Node::File(file) => {
                let file = File::durable(self.file(file));
                after.add(Node::File(file))
            }
            Node::Dir(dir) => {
                let place = after.add(Node::Dir(Dir::default()));
                let entries = self.entries(dir);
                let entries: BTreeMap<String, Inode> =
                    entries.into_iter().map(|(name, child)| (name, self.node(child, after))).collect();
                after.nodes[place] = Node::Dir(Dir { durable: entries.clone(), cache: entries, pending: Vec::new() });
                place
            }
        }
    }

    fn entries(&mut self, dir: &Dir) -> BTreeMap<String, Inode> {
        let mut entries = dir.durable.clone();
        for op in &dir.pending {
            let number = self.next_op();
            if self.fates.entry(number) {
                tree::apply(op, &mut entries);
            }
        }
        entries
    }

    fn file(&mut self, file: &File) -> Content {
        let mut content = file.durable.clone();
        for op in &file.pending {
            let number = self.next_op();
            match op {
                FileOp::Write(offset, bytes) => {
                    for (index, piece) in pieces(*offset, bytes.len()).enumerate() {
                        let fresh = piece.offset >= file.durable.written();
                        let at = Unsynced { op: number, piece: index, len: piece.len, fresh };
                        let new = &bytes[piece.start..piece.start + piece.len];
                        let fate = self.fates.piece(at);
                        self.settle(&mut content, piece.offset, new, fate);
                    }
                }
                FileOp::SetLen(_) | FileOp::Extend(_) => {
                    if self.fates.length(number) {
                        apply(op, &mut content);
                    }
                }
            }
        }
        content
    }

    fn settle(&self, content: &mut Content, offset: u64, new: &[u8], fate: Fate) {
        let end = offset + new.len() as u64;
        match fate {
            Fate::Kept => content.write(new, offset),
            Fate::Lost => {}
            Fate::Sized => {
                let len = content.len().max(end);
                content.set_len(len);
            }
            Fate::Prefix(count) => content.write(&new[..count.min(new.len())], offset),
            Fate::Suffix(skipped) => {
                let skipped = skipped.min(new.len());
                content.write(&new[skipped..], offset + skipped as u64);
            }
            Fate::Noise(seed) => content.write(&self.noise(seed, offset, new.len()), offset),
        }
    }

    /// Random bytes, or what another file has at this place: blocks that were freed come back with their old contents.
    fn noise(&self, seed: u64, offset: u64, len: usize) -> Vec<u8> {
        let mut rng = Rng::new(seed);
        let mut bytes = vec![0; len];
        if rng.percent(50) && !self.stale.is_empty() {
            rng.pick(&self.stale).read(&mut bytes, offset);
        } else {
            bytes.fill_with(|| u8::try_from(rng.below(256)).unwrap_or(0));
        }
        bytes
    }
}
