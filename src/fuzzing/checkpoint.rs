//! A checkpoint's file.

use std::collections::BTreeMap;

use super::base::base;
use super::edits::edit;
use super::input::Input;
use crate::contracts::Lsn;
use crate::journal::{
    CHECKPOINT_HEADER_LEN, CHECKPOINTS_DIR, ChainEnd, CheckpointReader, CheckpointWriter, checkpoint_name,
};
use crate::repo::{LoadOptions, Share, load_newest, verify_checkpoint};
use crate::testkit::{Memory, STORE_ID};

/// What reads as a checkpoint is, block for block, what would be written; one that was damaged does not read.
pub fn checkpoint(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.byte();
    let lsn = Lsn(1 + u64::from(mode / 4));
    let path = format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(lsn));
    match mode % 4 {
        // Any bytes.
        0 => check(lsn, &path, input.rest().to_vec()),
        // Any blocks, written as they should be.
        1 => {
            let memory = Memory::with(&BTreeMap::new());
            let mut writer = CheckpointWriter::create(&memory, STORE_ID, ChainEnd { lsn, chain: 0 }).unwrap();
            while !input.is_empty() {
                let len = input.below(300) + 1;
                let block = input.bytes(len);
                if !block.is_empty() {
                    writer.block(block).unwrap();
                }
            }
            writer.finish(&memory, ChainEnd { lsn, chain: 0 }).unwrap();
            check(lsn, &path, memory.files().remove(&path).unwrap());
        }
        // A real one, damaged; with its header's checksum mended in the last mode.
        _ => {
            let (path, original) = base().files.iter().find(|(path, _)| path.ends_with(".ckpt")).unwrap();
            let lsn = path.rsplit('/').next().and_then(|name| name.get(..20)).unwrap().parse().map(Lsn).unwrap();
            let mut bytes = original.clone();
            for _ in 0..=input.byte() % 4 {
                edit(&mut bytes, &mut input);
            }
            if mode % 4 == 3 && bytes.len() >= CHECKPOINT_HEADER_LEN {
                let crc = crc32c::crc32c(&bytes[..CHECKPOINT_HEADER_LEN - 4]);
                bytes[CHECKPOINT_HEADER_LEN - 4..CHECKPOINT_HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
            }
            let damaged = bytes != *original;
            let reads = verify_checkpoint(&Memory::with(&one(path, bytes.clone())), STORE_ID, lsn).is_ok();
            assert!(!(damaged && reads) || mode % 4 == 3, "damage passes for a checkpoint");
            assert!(damaged || reads, "a checkpoint that was written does not read");
            check(lsn, path, bytes);
        }
    }
}

fn one(path: &str, bytes: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([(path.to_owned(), bytes)])
}

fn check(lsn: Lsn, path: &str, bytes: Vec<u8>) {
    let memory = Memory::with(&one(path, bytes.clone()));
    let verified = verify_checkpoint(&memory, STORE_ID, lsn).is_ok();
    if let Ok(loaded) = load_newest(&memory, STORE_ID, LoadOptions { share: Share::ALL, command_ids_max: 4 }) {
        assert!(loaded.must_reach >= lsn, "a checkpoint's name is lost with its contents");
        assert!(loaded.covered == lsn || loaded.damaged.len() == 1);
        // Loading asks for more than reading: an order must not be there twice.
        assert!(verified || loaded.covered == Lsn::ZERO);
    }
    rewrite(lsn, path, &memory, &bytes);
    assert_eq!(memory.files(), one(path, bytes), "reading changes nothing");
}

/// Writes the blocks again, if all of them read.
fn rewrite(lsn: Lsn, path: &str, memory: &Memory, bytes: &[u8]) {
    let Ok(mut reader) = CheckpointReader::open(memory, STORE_ID, lsn) else { return };
    let again = Memory::with(&BTreeMap::new());
    let mut writer = CheckpointWriter::create(&again, STORE_ID, reader.covered).unwrap();
    let mut block = Vec::new();
    loop {
        match reader.next_block(&mut block) {
            Ok(true) => writer.block(&block).unwrap(),
            Ok(false) => break,
            Err(_) => return,
        }
    }
    writer.finish(&again, reader.required).unwrap();
    let again = again.files().remove(path).unwrap();
    // The reserved bytes of the header have no meaning yet: they are under its checksum, and nothing else looks at them.
    assert_eq!(again[CHECKPOINT_HEADER_LEN..], bytes[CHECKPOINT_HEADER_LEN..]);
}
