//! What a power cut leaves of a disk.
//!
//! Everything synced stays. Of the rest any part may be there: each sector of each write by itself, each change of a
//! length, each change of a directory's entries. A sector that was being written may hold a beginning or an end of the
//! new bytes and the old ones for the rest; one that was never written before may hold zeros or anything at all. What a
//! medium is trusted with is this: bytes that were synced do not change by themselves, and a byte that is written over
//! with the same value keeps it (sectors are written whole, or torn between old and new).

use std::collections::BTreeMap;

use super::file::{FileOp, Piece, SECTOR, apply, pieces};
use super::tree::{self, Dir, DirOp, Inode, Node, ROOT, Tree};
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
    /// This many bytes of its beginning are there.
    Prefix(usize),
    /// All but this many bytes of its beginning are there.
    Suffix(usize),
    /// Anything is there; follows from the number.
    Noise(u64),
}

/// A sector's part of an unsynced write.
#[derive(Debug, Clone, Copy)]
pub struct Unsynced {
    /// The number of the operation, among all unsynced ones of the disk.
    pub op: usize,
    /// Which sector of the write it is.
    pub piece: usize,
    /// How many bytes.
    pub len: usize,
    /// Whether nothing was ever durable there.
    pub fresh: bool,
    /// Whether it changes no byte, whatever else is there of the file.
    pub same: bool,
}

/// Decides what a power cut leaves.
pub trait Fates {
    /// Of a sector's part of a write.
    fn piece(&mut self, at: Unsynced) -> Fate;

    /// Whether the change of a length is there; operations are numbered together with all others.
    fn length(&mut self, op: usize) -> bool;

    /// Whether the change of a directory's entries is there.
    fn entry(&mut self, op: usize) -> bool;
}

/// The disk as it comes back after a power cut.
pub fn crash(before: &Tree, fates: &mut dyn Fates) -> Tree {
    let mut after = Tree { nodes: Vec::with_capacity(before.nodes.len()) };
    let mut crash = Crash { before, first_ops: first_ops(before), fates };
    crash.node(ROOT, &mut after);
    after
}

/// A part of what was not synced, of which a power cut decides by itself.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A sector's part of a write.
    Piece(Unsynced),
    /// The change of a length, by this operation.
    Length(usize),
    /// The change of a directory's entries, by this operation.
    Entry(usize),
}

impl Part {
    /// The operation that it is a part of.
    #[must_use]
    pub const fn op(&self) -> usize {
        match self {
            Self::Piece(at) => at.op,
            Self::Length(op) | Self::Entry(op) => *op,
        }
    }
}

/// Everything that a power cut would decide about, in the order of the operations' numbers.
#[must_use]
pub fn unsynced(tree: &Tree) -> Vec<Part> {
    let reachable = reachable(tree);
    let mut parts = Vec::new();
    let mut op = 0;
    for (node, reachable) in tree.nodes.iter().zip(reachable) {
        match node {
            Node::Dir(dir) => {
                parts.extend((op..op + dir.pending.len()).filter(|_| reachable).map(Part::Entry));
                op += dir.pending.len();
            }
            Node::File(file) => {
                for pending in &file.pending {
                    if reachable {
                        parts_of(pending, op, file, &mut parts);
                    }
                    op += 1;
                }
            }
        }
    }
    parts
}

fn parts_of(pending: &FileOp, op: usize, file: &File, parts: &mut Vec<Part>) {
    match pending {
        FileOp::Write(offset, bytes) => {
            let every = pieces(*offset, bytes.len()).enumerate();
            parts.extend(every.map(|(number, piece)| Part::Piece(unsynced_piece(op, number, &piece, bytes, file))));
        }
        FileOp::SetLen(_) | FileOp::Extend(_) => parts.push(Part::Length(op)),
    }
}

fn unsynced_piece(op: usize, number: usize, piece: &Piece, bytes: &[u8], file: &File) -> Unsynced {
    let fresh = piece.offset >= file.durable.written();
    let mut old = [0; SECTOR as usize];
    let old = &mut old[..piece.len];
    let alone = file.pending.len() == 1;
    let whole = alone && file.durable.read(old, piece.offset) == piece.len;
    let same = whole && *old == bytes[piece.start..piece.start + piece.len];
    Unsynced { op, piece: number, len: piece.len, fresh, same }
}

/// Which files and directories have a name now, or may have one after a power cut.
fn reachable(tree: &Tree) -> Vec<bool> {
    let mut found = vec![false; tree.nodes.len()];
    let mut open = vec![ROOT];
    while let Some(inode) = open.pop() {
        if std::mem::replace(&mut found[inode], true) {
            continue;
        }
        if let Node::Dir(dir) = &tree.nodes[inode] {
            open.extend(dir.durable.values());
            open.extend(dir.pending.iter().filter_map(|op| match op {
                DirOp::Link(_, inode) | DirOp::Rename(_, _, inode) => Some(inode),
                DirOp::Unlink(_) => None,
            }));
        }
    }
    found
}

/// For each file and directory the number of its first operation: an operation has the same number whatever becomes of
/// the others.
fn first_ops(tree: &Tree) -> Vec<usize> {
    let count = |node: &Node| match node {
        Node::File(file) => file.pending.len(),
        Node::Dir(dir) => dir.pending.len(),
    };
    let counts = tree.nodes.iter().map(count);
    counts
        .scan(0, |next, count| {
            let first = *next;
            *next += count;
            Some(first)
        })
        .collect()
}

struct Crash<'a> {
    before: &'a Tree,
    first_ops: Vec<usize>,
    fates: &'a mut dyn Fates,
}

impl Crash<'_> {
    fn node(&mut self, inode: Inode, after: &mut Tree) -> Inode {
        match &self.before.nodes[inode] {
            Node::File(file) => {
                let file = File::durable(self.file(inode, file));
                after.add(Node::File(file))
            }
            Node::Dir(dir) => {
                let place = after.add(Node::Dir(Dir::default()));
                let entries = self.entries(inode, dir);
                let entries: BTreeMap<String, Inode> =
                    entries.into_iter().map(|(name, child)| (name, self.node(child, after))).collect();
                after.nodes[place] = Node::Dir(Dir { durable: entries.clone(), cache: entries, pending: Vec::new() });
                place
            }
        }
    }

    fn entries(&mut self, inode: Inode, dir: &Dir) -> BTreeMap<String, Inode> {
        let mut entries = dir.durable.clone();
        for (number, op) in (self.first_ops[inode]..).zip(&dir.pending) {
            if self.fates.entry(number) {
                tree::apply(op, &mut entries);
            }
        }
        entries
    }

    fn file(&mut self, inode: Inode, file: &File) -> Content {
        let mut content = file.durable.clone();
        for (number, op) in (self.first_ops[inode]..).zip(&file.pending) {
            match op {
                FileOp::Write(offset, bytes) => {
                    for (index, piece) in pieces(*offset, bytes.len()).enumerate() {
                        let at = unsynced_piece(number, index, &piece, bytes, file);
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
        let stale: Vec<&Content> = self
            .before
            .nodes
            .iter()
            .filter_map(|node| match node {
                Node::File(file) if file.durable.written() > 0 => Some(&file.durable),
                Node::File(_) | Node::Dir(_) => None,
            })
            .collect();
        if rng.percent(50) && !stale.is_empty() {
            rng.pick(&stale).read(&mut bytes, offset);
        } else {
            bytes.fill_with(|| u8::try_from(rng.below(256)).unwrap_or(0));
        }
        bytes
    }
}
