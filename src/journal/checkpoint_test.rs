//! Checkpoint files: what their bytes may be, and what is said of those that are something else.

use super::testing::{STORE_ID, Watched};
use super::{CHECKPOINTS_DIR, ChainEnd, CheckpointError, CheckpointReader, CheckpointWriter, StoreId, checkpoint_name};
use crate::contracts::{Lsn, Storage};

const BLOCK_BYTES_MAX: usize = 4 << 20;
const HEADER_LEN: usize = super::CHECKPOINT_HEADER_LEN;
const COVERED: Lsn = Lsn(42);

const fn covered() -> ChainEnd {
    ChainEnd { lsn: COVERED, chain: 7 }
}

const fn required() -> ChainEnd {
    ChainEnd { lsn: Lsn(50), chain: 8 }
}

fn path() -> String {
    format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(COVERED))
}

/// A checkpoint with these blocks, and its bytes.
fn written(blocks: &[&[u8]]) -> (Watched, Vec<u8>) {
    let storage = Watched::new();
    let mut writer = CheckpointWriter::create(&storage, STORE_ID, covered()).unwrap();
    for block in blocks {
        writer.block(block).unwrap();
    }
    let bytes = writer.finish(&storage, required()).unwrap();
    let file = storage.memory.files().remove(&path()).unwrap();
    assert_eq!(bytes, file.len() as u64, "what it says that it takes");
    (storage, file)
}

fn read_as(storage: &Watched, store_id: StoreId) -> Result<Vec<Vec<u8>>, CheckpointError> {
    let mut reader = CheckpointReader::open(storage, store_id, COVERED)?;
    assert_eq!((reader.covered, reader.required), (covered(), required()));
    let (mut blocks, mut block) = (Vec::new(), Vec::new());
    while reader.next_block(&mut block)? {
        blocks.push(block.clone());
    }
    Ok(blocks)
}

fn put(storage: &Watched, bytes: &[u8]) {
    storage.memory.create(&path()).unwrap().write_all_at(bytes, 0).unwrap();
}

/// Where the damage is, and what it is called.
fn refused(storage: &Watched, bytes: &[u8]) -> (u64, String) {
    put(storage, bytes);
    match read_as(storage, STORE_ID) {
        Err(CheckpointError::Damaged { path: named, offset, problem }) if named == path() => (offset, problem),
        other => panic!("{other:?}"),
    }
}

/// The header's checksum, right again.
fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&bytes[..HEADER_LEN - 4]);
    bytes[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn a_block_has_one_byte_at_least_and_four_mebibytes_at_most() {
    let storage = Watched::new();
    let mut writer = CheckpointWriter::create(&storage, STORE_ID, covered()).unwrap();
    writer.block(&[]).unwrap_err();
    writer.block(&vec![1; BLOCK_BYTES_MAX + 1]).unwrap_err();
    let blocks = [vec![1; 1], vec![2; BLOCK_BYTES_MAX]];
    let (storage, bytes) = written(&[&blocks[0], &blocks[1]]);
    assert_eq!(read_as(&storage, STORE_ID).unwrap(), blocks);
    // A block whose checksum is right, but that nobody writes.
    let long = vec![3; BLOCK_BYTES_MAX + 1];
    let prefix = [u32::try_from(long.len()).unwrap().to_le_bytes(), crc32c::crc32c(&long).to_le_bytes()].concat();
    let (offset, problem) = refused(&storage, &[&bytes[..HEADER_LEN], &prefix, &long].concat());
    assert_eq!((offset, problem.as_str()), (HEADER_LEN as u64, "a block is longer than any was written"));
}

#[test]
fn no_damage_to_a_checkpoint_goes_unnoticed() {
    let (storage, bytes) = written(&[b"orders", b"more orders", b"commands"]);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        refused(&storage, &damaged);
    }
    for len in 0..bytes.len() {
        refused(&storage, &bytes[..len]);
    }
    let (_, problem) = refused(&storage, &[bytes.as_slice(), &[0]].concat());
    assert_eq!(problem, "the end does not fit the blocks");
    // Blocks that are whole, and not all of them, or in another order.
    let block = |blocks: &[&[u8]]| {
        let (_, file) = written(blocks);
        file[HEADER_LEN..file.len() - 16].to_vec()
    };
    let end = &bytes[bytes.len() - 16..];
    for other in [block(&[b"orders", b"more orders"]), block(&[b"more orders", b"orders", b"commands"])] {
        let (offset, problem) = refused(&storage, &[&bytes[..HEADER_LEN], &other, end].concat());
        assert_eq!((offset, problem.as_str()), ((HEADER_LEN + other.len()) as u64, "the end does not fit the blocks"));
    }
}

#[test]
fn damage_is_said_to_be_in_the_block_that_it_is_in() {
    let (storage, mut bytes) = written(&[b"orders", b"more orders"]);
    let second = HEADER_LEN + 8 + b"orders".len();
    bytes[second + 8] ^= 1;
    assert_eq!(refused(&storage, &bytes), (second as u64, "the checksum of a block is wrong".to_owned()));
    assert_eq!(refused(&storage, &bytes[..second + 9]), (second as u64, "the file ends too early".to_owned()));
}

#[test]
fn what_is_whole_and_not_ours_is_told_from_damage() {
    let (storage, bytes) = written(&[b"orders"]);
    let other = StoreId::from_bytes([8; 16]);
    let Err(CheckpointError::Damaged { offset: 0, problem, .. }) = read_as(&storage, other) else { panic!() };
    assert_eq!(problem, "it belongs to another store");
    let mut renamed = bytes.clone();
    renamed[32] = 43;
    assert_eq!(refused(&storage, &mended(renamed)), (0, "its name is not its own".to_owned()));
    let mut foreign = bytes.clone();
    foreign[0] = b'X';
    assert_eq!(refused(&storage, &mended(foreign)), (0, "the header is damaged".to_owned()));
    let mut later = bytes;
    later[8] = 3;
    put(&storage, &later);
    assert!(matches!(read_as(&storage, STORE_ID), Err(CheckpointError::Damaged { .. })));
    put(&storage, &mended(later));
    assert!(
        matches!(read_as(&storage, STORE_ID), Err(CheckpointError::Version { path: named, .. }) if named == path())
    );
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_no_damaged_one() {
    for call in ["open_read_only", "read"] {
        let (storage, _) = written(&[b"orders"]);
        storage.fail(call, std::io::ErrorKind::Other);
        assert!(matches!(read_as(&storage, STORE_ID), Err(CheckpointError::Io { path: named, .. }) if named == path()));
    }
}
