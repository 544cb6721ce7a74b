//! The command ids that were used last, so that a command sent again changes nothing.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::contracts::{Fingerprint, Lsn};
use crate::domain::CommandId;

/// A command that was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupEntry {
    /// The client's key.
    pub command_id: CommandId,
    /// Of its method and params.
    pub fingerprint: Fingerprint,
    /// The row of the order that it changed.
    pub row: u32,
    /// The version that it took the order to.
    pub version: u32,
    /// Its plan's place in the journal.
    pub lsn: Lsn,
}

/// The last N commands that had an id, oldest first.
#[derive(Debug)]
pub struct DedupTable {
    commands: CommandList,
    /// Positions by the hash of the command's id, in many small tables: one of them is rebuilt now and then, because what
    /// was removed leaves its place used up, and never all at once.
    index: Vec<HashTable<u64>>,
    hasher: RandomState,
    commands_max: usize,
}

const INDEX_TABLES: usize = 1024;

/// Commands by their positions, which count from the first command ever. They are in chunks that are never moved: the
/// list never pauses to copy everything because it has grown.
#[derive(Debug, Default)]
struct CommandList {
    chunks: VecDeque<Vec<DedupEntry>>,
    /// How many chunks are gone before the first.
    chunks_gone: u64,
    /// The position of the oldest command; those before it in its chunk are forgotten with the chunk.
    start: u64,
    end: u64,
}

const CHUNK_LEN: usize = 1024;
const CHUNK_COMMANDS: u64 = CHUNK_LEN as u64;

impl CommandList {
    const fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn push(&mut self, command: DedupEntry) {
        if self.end.is_multiple_of(CHUNK_COMMANDS) {
            self.chunks.push_back(Vec::with_capacity(CHUNK_LEN));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(command);
            self.end += 1;
        }
    }

    fn pop_back(&mut self) -> Option<DedupEntry> {
        if self.len() == 0 {
            return None;
        }
        let popped = self.chunks.back_mut()?.pop();
        self.end -= 1;
        if self.end.is_multiple_of(CHUNK_COMMANDS) {
            self.chunks.pop_back();
        }
        popped
    }

    fn pop_front(&mut self) -> Option<DedupEntry> {
        let popped = self.get(self.start)?.to_owned();
        self.start += 1;
        if self.start.is_multiple_of(CHUNK_COMMANDS) {
            self.chunks.pop_front();
            self.chunks_gone += 1;
        }
        Some(popped)
    }

    fn get(&self, position: u64) -> Option<&DedupEntry> {
        if position < self.start {
            return None;
        }
        let chunk = (position / CHUNK_COMMANDS).checked_sub(self.chunks_gone)?;
        let in_chunk = usize::try_from(position % CHUNK_COMMANDS).ok()?;
        self.chunks.get(usize::try_from(chunk).ok()?)?.get(in_chunk)
    }
}

/// The table that a hash belongs to: by bits from its middle, because the tables themselves use both ends.
const fn table_of(hash: u64) -> usize {
    let [_, _, a, b, ..] = hash.to_le_bytes();
    u16::from_le_bytes([a, b]) as usize % INDEX_TABLES
}

impl DedupTable {
    /// A log that remembers `commands_max` commands.
    #[must_use]
    pub fn new(commands_max: usize) -> Self {
        let index = (0..INDEX_TABLES).map(|_| HashTable::new()).collect();
        Self { commands: CommandList::default(), index, hasher: RandomState::default(), commands_max }
    }

    /// The command of this id.
    #[must_use]
    pub fn find(&self, command_id: CommandId) -> Option<&DedupEntry> {
        let hash = self.hasher.hash_one(command_id);
        let is_it =
            |position: &u64| self.commands.get(*position).is_some_and(|command| command.command_id == command_id);
        self.index.get(table_of(hash))?.find(hash, is_it).and_then(|position| self.commands.get(*position))
    }

    /// Logs a command. Older ones are forgotten by [`DedupTable::evict`], not here: this can be taken back.
    pub(super) fn push(&mut self, command: DedupEntry) {
        let position = self.end();
        self.commands.push(command);
        let hash = self.hasher.hash_one(command.command_id);
        let Self { commands, index, hasher, .. } = self;
        let Some(table) = index.get_mut(table_of(hash)) else { return };
        table.insert_unique(hash, position, |position| {
            commands.get(*position).map_or(0, |command| hasher.hash_one(command.command_id))
        });
    }

    /// Takes the last command back.
    pub(super) fn pop(&mut self) {
        if let Some(command) = self.commands.pop_back() {
            self.unindex(command.command_id, self.end());
        }
    }

    /// Forgets all but the last `commands_max` commands.
    pub(super) fn evict(&mut self) {
        while self.commands.len() > self.commands_max as u64 {
            let position = self.start();
            let Some(command) = self.commands.pop_front() else { return };
            self.unindex(command.command_id, position);
        }
    }

    /// The position of the oldest command that is remembered.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.commands.start
    }

    /// The position of the next command.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.commands.end
    }

    /// At most `count` commands, from `position` on or from the oldest, if that one is forgotten, and the position
    /// behind the last of them.
    #[must_use]
    pub fn copy(&self, position: u64, count: usize) -> (Vec<DedupEntry>, u64) {
        let from = position.max(self.start());
        let commands: Vec<_> = self.range(from, count).copied().collect();
        let behind = from.saturating_add(commands.len() as u64);
        (commands, behind)
    }

    fn range(&self, position: u64, count: usize) -> impl Iterator<Item = &DedupEntry> {
        (position.max(self.start())..self.end()).take(count).filter_map(|position| self.commands.get(position))
    }

    /// The journal position of the last command.
    #[must_use]
    pub fn last_lsn(&self) -> Lsn {
        let last = self.end().checked_sub(1).and_then(|position| self.commands.get(position));
        last.map_or(Lsn::ZERO, |command| command.lsn)
    }

    fn unindex(&mut self, command_id: CommandId, position: u64) {
        let hash = self.hasher.hash_one(command_id);
        let table = self.index.get_mut(table_of(hash));
        if let Some(Ok(entry)) = table.map(|table| table.find_entry(hash, |candidate| *candidate == position)) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn command(number: u32) -> DedupEntry {
        DedupEntry {
            command_id: CommandId::new(Uuid::from_u128(u128::from(number))),
            fingerprint: Fingerprint(Uuid::from_u128(1)),
            row: number,
            version: 1,
            lsn: Lsn(u64::from(number)),
        }
    }

    #[test]
    fn the_last_ones_are_remembered_and_older_ones_forgotten() {
        let mut log = DedupTable::new(100);
        for number in 1..=1_000 {
            log.push(command(number));
            log.evict();
        }
        for number in 1..=1_000 {
            let found = log.find(command(number).command_id);
            assert_eq!(found.copied(), (number > 900).then(|| command(number)), "{number}");
        }
        assert_eq!((log.start(), log.end(), log.last_lsn()), (900, 1_000, Lsn(1_000)));
        let from_forgotten: Vec<_> = log.range(5, 2).copied().collect();
        assert_eq!(from_forgotten, [command(901), command(902)]);
    }

    #[test]
    fn no_part_of_the_index_is_large_however_many_commands_come_and_go() {
        let mut log = DedupTable::new(10_000);
        for number in 1..=50_000 {
            log.push(command(number));
            log.evict();
        }
        let sizes = log.index.iter().map(HashTable::capacity);
        assert!(sizes.clone().max().unwrap() <= 112, "{:?}", sizes.max());
        assert_eq!(log.index.iter().map(HashTable::len).sum::<usize>(), 10_000);
    }

    #[test]
    fn commands_are_never_moved_and_their_room_goes_with_them() {
        let mut log = DedupTable::new(5_000);
        let mut places = Vec::new();
        for number in 1..=20_000 {
            log.push(command(number));
            places.push(std::ptr::from_ref(log.commands.get(u64::from(number) - 1).unwrap()));
            log.evict();
            assert!(log.commands.chunks.len() <= 6);
        }
        for (position, place) in places.iter().enumerate().skip(15_000) {
            assert!(std::ptr::eq(log.commands.get(position as u64).unwrap(), *place));
        }
        // Over the ends of chunks, there and back.
        for number in (18_001..=20_000).rev() {
            assert_eq!(log.commands.pop_back(), Some(command(number)));
        }
        assert_eq!((log.start(), log.end()), (15_000, 18_000));
        for number in 15_001..=18_000 {
            assert_eq!(log.commands.pop_front(), Some(command(number)));
        }
        assert_eq!((log.commands.len(), log.commands.pop_front(), log.commands.pop_back()), (0, None, None));
        log.commands.push(command(1));
        assert_eq!(log.commands.get(18_000), Some(&command(1)));
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut log = DedupTable::new(2);
        for number in 1..=4 {
            log.push(command(number));
        }
        log.pop();
        log.pop();
        log.evict();
        assert!(log.find(command(3).command_id).is_none());
        assert_eq!(log.find(command(1).command_id).copied(), Some(command(1)));
        assert_eq!((log.start(), log.end()), (0, 2));
    }
}
