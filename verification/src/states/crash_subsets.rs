//! What a power cut leaves of what was not synced: every subset, and every tear.

use super::Size;
use crate::disk::{Fate, Fates, Part, Unsynced};
use crate::rng::Rng;

/// One thing that a power cut may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    base: Base,
    /// A part with a fate of its own.
    torn: Option<(usize, Fate)>,
}

/// Which parts are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    All,
    None,
    /// Those before this one.
    Before(usize),
    /// Those whose bit is set.
    Mask(u64),
    /// All but these two.
    But(usize, usize),
    /// These two alone.
    Only(usize, usize),
    /// All but those of this operation.
    ButOp(usize),
    /// Those that this seed says.
    Random(u64),
}

impl Base {
    fn keeps(self, index: usize, op: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Before(end) => index < end,
            Self::Mask(bits) => bits >> index & 1 == 1,
            Self::But(one, other) => index != one && index != other,
            Self::Only(one, other) => index == one || index == other,
            Self::ButOp(lost) => op != lost,
            Self::Random(seed) => Rng::new(seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9)).percent(50),
        }
    }
}

/// All that a power cut may leave of these parts, within the bounds of `size`; always in the same order.
pub fn choices(parts: &[Part], size: &Size) -> Vec<Choice> {
    let mut all: Vec<_> = subsets(parts.len(), size).into_iter().map(|base| Choice { base, torn: None }).collect();
    for (index, part) in parts.iter().enumerate() {
        let Part::Piece(at) = part else { continue };
        let others = others(index, parts.len(), size);
        for fate in tears(*at, size, index as u64) {
            all.extend(others.iter().map(|base| Choice { base: *base, torn: Some((index, fate)) }));
        }
    }
    all
}

/// What a power cut in a recovery may leave: all, nothing, all but one operation, and the last write torn.
pub fn few_choices(parts: &[Part]) -> Vec<Choice> {
    let mut all = vec![Choice { base: Base::All, torn: None }];
    if parts.is_empty() {
        return all;
    }
    all.push(Choice { base: Base::None, torn: None });
    let mut ops: Vec<_> = parts.iter().map(Part::op).collect();
    ops.dedup();
    if ops.len() > 1 {
        all.extend(ops.into_iter().map(|op| Choice { base: Base::ButOp(op), torn: None }));
    }
    let mut pieces = parts.iter().enumerate().filter_map(|(index, part)| match part {
        Part::Piece(at) => Some((index, at.len)),
        Part::Length(_) | Part::Entry(_) => None,
    });
    if let Some((index, len)) = pieces.next_back() {
        let half = len / 2 / 8 * 8;
        let torn = [Fate::Prefix(half), Fate::Suffix(half), Fate::Sized];
        all.extend(torn.map(|fate| Choice { base: Base::All, torn: Some((index, fate)) }));
    }
    all
}

fn subsets(count: usize, size: &Size) -> Vec<Base> {
    if count <= size.all_subsets_of {
        return (0..1_u64 << count).map(Base::Mask).collect();
    }
    let mut bases = vec![Base::All, Base::None];
    bases.extend((0..count).map(Base::Before));
    for one in 0..count {
        for other in one..count {
            bases.extend([Base::But(one, other), Base::Only(one, other)]);
        }
    }
    bases.extend((0..size.subsets).map(Base::Random));
    bases
}

/// What may be there of the others while this part is torn.
fn others(torn: usize, count: usize, size: &Size) -> Vec<Base> {
    if count <= size.all_others_of {
        return (0..1_u64 << count).filter(|bits| bits >> torn & 1 == 0).map(Base::Mask).collect();
    }
    let mut bases = vec![Base::Before(torn), Base::All, Base::None];
    bases.extend((0..size.others).map(Base::Random));
    bases
}

/// Everything but whole and not at all.
fn tears(at: Unsynced, size: &Size, seed: u64) -> Vec<Fate> {
    let mut rng = Rng::new(seed);
    let mut cuts: Vec<usize> = (size.grain..at.len).step_by(size.grain).collect();
    cuts.extend((0..size.cuts).map(|_| 1 + rng.index(at.len - 1)));
    if at.same {
        cuts.clear();
    }
    let mut fates = vec![Fate::Sized];
    fates.extend(cuts.into_iter().filter(|cut| *cut < at.len).flat_map(|cut| [Fate::Prefix(cut), Fate::Suffix(cut)]));
    if at.fresh {
        // Whether it is random, or what another file has there, follows from the number.
        fates.extend((0..size.noises).map(|number| Fate::Noise(seed << 8 | number)));
    }
    fates
}

/// A choice over the parts that it is about.
pub struct Chosen<'a> {
    choice: Choice,
    /// By operation, the number of its first part.
    first_parts: &'a [usize],
}

impl<'a> Chosen<'a> {
    /// What `choice` makes of the parts that [`first_parts`] was asked about.
    pub const fn new(choice: Choice, first_parts: &'a [usize]) -> Self {
        Self { choice, first_parts }
    }

    fn keeps(&self, op: usize) -> bool {
        self.choice.base.keeps(self.first_parts[op], op)
    }
}

/// By operation, the number of its first part.
pub fn first_parts(parts: &[Part]) -> Vec<usize> {
    let mut first = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        // What has no name, and can have none, has no parts.
        while first.len() <= part.op() {
            first.push(index);
        }
    }
    first
}

impl Fates for Chosen<'_> {
    fn piece(&mut self, at: Unsynced) -> Fate {
        let index = self.first_parts[at.op] + at.piece;
        match self.choice.torn {
            Some((torn, fate)) if torn == index => fate,
            _ if self.choice.base.keeps(index, at.op) => Fate::Kept,
            _ => Fate::Lost,
        }
    }

    fn length(&mut self, op: usize) -> bool {
        self.keeps(op)
    }

    fn entry(&mut self, op: usize) -> bool {
        self.keeps(op)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::disk::tree::{DirOp, Node, ROOT};
    use crate::disk::{Content, File, Tree, crash, unsynced};

    /// A file with a name that was not synced, two sectors of it written, and another name pending.
    fn tree() -> Tree {
        let mut tree = Tree::default();
        let mut file = File::durable(Content::default());
        file.act(crate::disk::file::FileOp::Write(0, vec![7; 1024].into()));
        let inode = tree.add(Node::File(file));
        let root = tree.dir_mut(ROOT).unwrap();
        root.act(DirOp::Link("a".into(), inode));
        root.act(DirOp::Rename("a".into(), "b".into(), inode));
        tree
    }

    fn outcomes(choices: &[Choice]) -> HashSet<u64> {
        let tree = tree();
        let first = first_parts(&unsynced(&tree));
        choices.iter().map(|choice| crash(&tree, &mut Chosen::new(*choice, &first)).fingerprint()).collect()
    }

    #[test]
    fn every_subset_comes_up() {
        let parts = unsynced(&tree());
        assert_eq!(parts.len(), 4);
        let subsets: Vec<_> = choices(&parts, &Size::FULL).into_iter().filter(|choice| choice.torn.is_none()).collect();
        assert_eq!(subsets.len(), 16);
        // No name, or one of two; and under each name one of four contents.
        assert_eq!(outcomes(&subsets).len(), 1 + 2 * 4);
    }

    #[test]
    fn a_sector_is_torn_at_every_eighth_byte_from_both_sides() {
        let parts = unsynced(&tree());
        let all = choices(&parts, &Size::FULL);
        for cut in (8..512).step_by(8) {
            for fate in [Fate::Prefix(cut), Fate::Suffix(cut)] {
                assert!(all.iter().any(|choice| choice.torn == Some((3, fate))), "{fate:?}");
            }
        }
        assert!(outcomes(&few_choices(&parts)).len() >= 5);
    }
}
