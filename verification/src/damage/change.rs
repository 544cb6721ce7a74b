//! Does to a copy of a store what a case says.

use orderd::journal::{CHECKPOINTS_DIR, CURSORS_DIR, JOURNAL_DIR};

use super::case::{Case, Kind};
use super::store::Store;
use crate::disk::{Content, SECTOR, Tree};
use crate::rng::Rng;

/// The unit that goes bad together.
pub const SECTOR_LEN: u64 = SECTOR;
/// By how much files become longer.
pub const LONGER_BY: [u64; 4] = [1, 8, SECTOR_LEN, 8 * SECTOR_LEN];

/// A damaged copy.
pub struct Damaged {
    /// The disk.
    pub tree: Tree,
    /// By path, what the files hold now; nothing for those that are missing.
    pub changed: Vec<(String, Option<Content>)>,
    /// What was done, in words.
    pub what: String,
}

impl Damaged {
    /// A copy of `store` in which these files hold something else; `None` if none of them does.
    ///
    /// # Errors
    /// There is no place for a file.
    pub fn new(store: &Store, changed: Vec<(String, Option<Content>)>, what: String) -> Result<Option<Self>, String> {
        let is_other = |(path, content): &(String, Option<Content>)| {
            store.file(path).map(|file| &file.content) != content.as_ref()
        };
        if !changed.iter().any(is_other) {
            return Ok(None);
        }
        Ok(Some(Self { tree: store.with(&changed)?, changed, what }))
    }

    /// What a case says; `None` if that changes no byte.
    ///
    /// # Errors
    /// There is no such case.
    pub fn of(store: &Store, case: &Case) -> Result<Option<Self>, String> {
        let changed = change(store, case).ok_or("there is no such case")?;
        let paths: Vec<&str> = changed.iter().map(|(path, _)| path.as_str()).collect();
        let what = format!("{}: {} {} of {}", store.form, case.kind.text(), case.index, paths.join(" and "));
        Self::new(store, changed, what)
    }

    /// Whether the file at `path` is not as it was.
    #[must_use]
    pub fn touches(&self, path: &str) -> bool {
        self.changed.iter().any(|(changed, _)| changed == path)
    }

    /// Whether the file at `path` is missing.
    #[must_use]
    pub fn removes(&self, path: &str) -> bool {
        self.changed.iter().any(|(changed, content)| changed == path && content.is_none())
    }
}

/// Files of the same kind.
pub fn siblings(store: &Store, file: usize) -> impl Iterator<Item = usize> {
    let dir = |number: usize| store.files[number].path.rsplit_once('/').map_or("", |(dir, _)| dir);
    (0..store.files.len()).filter(move |other| *other != file && dir(*other) == dir(file))
}

fn change(store: &Store, case: &Case) -> Option<Vec<(String, Option<Content>)>> {
    if case.kind == Kind::Returned {
        let (path, content) = store.gone.get(case.file)?;
        return Some(vec![(path.clone(), Some(content.clone()))]);
    }
    let file = store.files.get(case.file)?;
    let index = case.index;
    let one = |content: Content| Some(vec![(file.path.clone(), Some(content))]);
    let gone = |number: usize| Some((store.files.get(number)?.path.clone(), None));
    let mut content = file.content.clone();
    let sector = index * SECTOR_LEN;
    match case.kind {
        Kind::Bit => {
            let mut byte = [0];
            content.read(&mut byte, index / 8);
            content.write(&[byte[0] ^ (1 << (index % 8))], index / 8);
        }
        Kind::Cut => content.set_len(index),
        Kind::Longer => {
            let by = LONGER_BY[usize::try_from(index / 2).ok()?];
            let end = content.len();
            if index.is_multiple_of(2) { content.set_len(end + by) } else { content.write(&noise(case, by), end) }
        }
        Kind::SectorZero => content.write(&vec![0; sector_of(&content, sector).len()], sector),
        Kind::SectorOnes => content.write(&vec![0xFF; sector_of(&content, sector).len()], sector),
        Kind::SectorRandom => {
            let len = sector_of(&content, sector).len() as u64;
            content.write(&noise(case, len), sector);
        }
        Kind::SectorSwapped => {
            let next = sector + SECTOR_LEN;
            let (first, second) = (sector_of(&content, sector), sector_of(&content, next));
            // The last one may be shorter.
            content.write(&first[..second.len()], next);
            content.write(&second, sector);
        }
        Kind::SectorRepeated => {
            let next = sector + SECTOR_LEN;
            let len = sector_of(&content, next).len();
            content.write(&sector_of(&content, sector)[..len], next);
        }
        Kind::SectorMisplaced => {
            let sectors = content.len().div_ceil(SECTOR_LEN);
            let sibling = siblings(store, case.file).nth(usize::try_from(index / sectors).ok()?)?;
            return Some(swap_with(store, case.file, sibling, index % sectors * SECTOR_LEN));
        }
        Kind::Missing => return Some(vec![gone(case.file)?]),
        Kind::TwoMissing => {
            let other = case.file + 1 + usize::try_from(index).ok()?;
            return Some(vec![gone(case.file)?, gone(other)?]);
        }
        Kind::Empty => content = Content::default(),
        Kind::Earlier => content = file.earlier.get(usize::try_from(index).ok()?)?.clone(),
        Kind::Sibling => {
            let sibling = siblings(store, case.file).nth(usize::try_from(index).ok()?)?;
            content = store.files[sibling].content.clone();
        }
        Kind::LaterFormat => later_format(&mut content, *versions(&file.path).get(usize::try_from(index).ok()?)?),
        Kind::Returned => return None,
    }
    one(content)
}

fn sector_of(content: &Content, offset: u64) -> Vec<u8> {
    let mut sector = vec![0; 512];
    let len = content.read(&mut sector, offset);
    sector.truncate(len);
    sector
}

fn swap_with(store: &Store, file: usize, sibling: usize, offset: u64) -> Vec<(String, Option<Content>)> {
    let (mine, theirs) = (&store.files[file], &store.files[sibling]);
    let (mut content, mut other) = (mine.content.clone(), theirs.content.clone());
    let (first, second) = (sector_of(&content, offset), sector_of(&other, offset));
    let len = first.len().min(second.len());
    content.write(&second[..len], offset);
    other.write(&first[..len], offset);
    vec![(mine.path.clone(), Some(content)), (theirs.path.clone(), Some(other))]
}

fn noise(case: &Case, len: u64) -> Vec<u8> {
    let mut rng = Rng::new(case.number);
    (0..len).map(|_| rng.next().to_le_bytes()[0]).collect()
}

/// Where in a file a format version stands, and the bytes behind it that a checksum covers: from, and up to where the
/// checksum itself is.
pub fn versions(path: &str) -> &'static [(u64, u64)] {
    let is_in = |dir: &str| path.starts_with(dir);
    match () {
        () if is_in(JOURNAL_DIR) => &[(0, 60)],
        () if is_in(CHECKPOINTS_DIR) => &[(0, 52)],
        () if is_in(CURSORS_DIR) => &[(0, 76), (4096, 4096 + 76)],
        () => &[(0, 28)],
    }
}

/// Every format has its version behind eight bytes of magic, so that it can be told from damage.
fn later_format(content: &mut Content, (from, checksum): (u64, u64)) {
    content.write(&2_u16.to_le_bytes(), from + 8);
    let mut checked = vec![0; usize::try_from(checksum - from).unwrap_or(0)];
    content.read(&mut checked, from);
    content.write(&crc32c::crc32c(&checked).to_le_bytes(), checksum);
}
