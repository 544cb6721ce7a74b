//! Segment files: their names, and how a new one comes into being.

use std::io;

use super::format::{SEGMENT_HEADER_LEN, SegmentHeader};
use super::{JOURNAL_DIR, StoreId};
use crate::contracts::{Lsn, Storage, StorageFile};

/// What a file is called that is not finished.
pub const TEMPORARY_SUFFIX: &str = ".tmp";
const SUFFIX: &str = ".wal";

/// The name of the segment whose first frame has `base_lsn`.
pub fn segment_name(base_lsn: Lsn) -> String {
    format!("{base_lsn:020}{SUFFIX}", base_lsn = base_lsn.0)
}

/// The first LSN of the segment of this name; `None` if it is no segment's name.
pub fn parse_segment_name(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok().map(Lsn))?
}

/// The path of the segment whose first frame has `base_lsn`.
pub fn segment_path(base_lsn: Lsn) -> String {
    format!("{JOURNAL_DIR}/{}", segment_name(base_lsn))
}

/// The segments that are there, by their first LSN, oldest first.
///
/// # Errors
/// The directory cannot be listed.
pub fn list_segments(storage: &dyn Storage) -> io::Result<Vec<Lsn>> {
    let names = storage.list(JOURNAL_DIR)?;
    let mut segments: Vec<Lsn> = names.iter().filter_map(|name| parse_segment_name(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// A segment that takes frames.
pub struct NewSegment {
    pub file: Box<dyn StorageFile>,
    pub header: SegmentHeader,
    /// How many bytes are reserved for it.
    pub capacity: u64,
}

/// What went wrong, in the two kinds that call for two reactions.
#[derive(Debug)]
pub enum CreateError {
    /// There is no room now, or no file descriptor: nothing was changed, and it can be tried again.
    NotNow(io::Error),
    /// Anything else: the disk fails, or somebody has taken the directory away.
    Failed(&'static str, io::Error),
}

impl CreateError {
    fn of(operation: &'static str, error: io::Error) -> Self {
        if is_no_room(&error) || is_no_descriptor(&error) {
            Self::NotNow(error)
        } else {
            Self::Failed(operation, error)
        }
    }
}

/// Reserves, writes and names a new segment, of `bytes_wanted` or of as much as there is room for, but not less than
/// `bytes_min`. It replaces one of the same base LSN, which then holds no plan.
pub fn create_segment(
    storage: &dyn Storage,
    header: SegmentHeader,
    bytes_wanted: u64,
    bytes_min: u64,
) -> Result<NewSegment, CreateError> {
    // The crash story. A crash at any step leaves either no segment of this name or a whole one.
    let path = segment_path(header.base_lsn);
    let temporary = format!("{path}{TEMPORARY_SUFFIX}");
    let written = (|| {
        // 1. Under a name that recovery deletes: reserve the room, so that a full disk shows now and not in the middle
        //    of a batch; the reserved bytes read as zeros, which are no frames.
        let file = storage.create(&temporary)?;
        let capacity = allocate_what_fits(file.as_ref(), bytes_wanted, bytes_min)?;
        file.write_all_at(&header.encode(), 0)?;
        Ok((file, capacity))
    })();
    let (file, capacity) = match written {
        Ok(written) => written,
        Err(error) => {
            // The room that was taken is given back; should that fail too, the next start does it.
            drop(storage.remove(&temporary));
            return Err(CreateError::of("creation of a segment", error));
        }
    };
    // 2. Header and length are durable before the name can be.
    file.sync_data().map_err(|error| CreateError::Failed("sync of a new segment", error))?;
    // 3. The name, and 4. its durability: only then may a frame be written to it.
    storage.rename(&temporary, &path).map_err(|error| {
        drop(storage.remove(&temporary));
        CreateError::of("naming of a new segment", error)
    })?;
    storage.sync_dir(JOURNAL_DIR).map_err(|error| CreateError::Failed("sync of the journal's directory", error))?;
    Ok(NewSegment { file, header, capacity })
}

fn allocate_what_fits(file: &dyn StorageFile, bytes_wanted: u64, bytes_min: u64) -> io::Result<u64> {
    let mut capacity = bytes_wanted.max(bytes_min);
    loop {
        match file.allocate(capacity) {
            Ok(()) => return Ok(capacity),
            Err(error) if is_no_room(&error) && capacity > bytes_min => {
                // What a failed attempt may have reserved goes back before less is asked for.
                file.set_len(0)?;
                capacity = (capacity / 2).max(bytes_min);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether an error says that there is no room: on the disk, in the quota, or under the process' file size limit.
pub fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Whether an error says that the process, or the system, has no file descriptor left.
fn is_no_descriptor(error: &io::Error) -> bool {
    // EMFILE and ENFILE, the same on every architecture that Linux has.
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// The contents of a store's first segment: a header and no frame. A start puts a segment with room in its place; that
/// there is always one makes a lost journal different from a new one.
pub fn empty_segment(store_id: StoreId) -> Vec<u8> {
    SegmentHeader { epoch: 1, store_id, base_lsn: Lsn::ZERO.next(), chain: 0 }.encode()
}

/// Reads a whole segment file into `bytes`.
pub fn read_segment(file: &dyn StorageFile, bytes: &mut Vec<u8>) -> io::Result<()> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    bytes.resize(len.max(SEGMENT_HEADER_LEN), 0);
    let read = file.read_at(bytes, 0)?;
    bytes.truncate(read);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_lsn_back_and_nothing_else_is_a_segments_name() {
        assert_eq!(parse_segment_name(&segment_name(Lsn(42))), Some(Lsn(42)));
        assert_eq!(parse_segment_name(&segment_name(Lsn(u64::MAX))), Some(Lsn(u64::MAX)));
        for other in
            ["", "1.wal", "0000000000000000000x.wal", "00000000000000000042.wal.tmp", "+0000000000000000042.wal"]
        {
            assert_eq!(parse_segment_name(other), None, "{other}");
        }
    }
}
