//! What a checkpoint holds, and what is none.

use std::collections::BTreeMap;

use crate::contracts::Lsn;
use crate::fuzzing::base::{executor, open, source, state_of, submission};
use crate::journal::{ChainEnd, CheckpointWriter};
use crate::testkit::{Memory, STORE_ID, Watched};

#[test]
fn checkpoints_of_many_orders_and_commands_come_back_whole() {
    // More than are copied at once, and exactly as many.
    for orders in [1023, 1024, 1025] {
        let storage = Memory::with(&BTreeMap::new());
        crate::journal::create_store(&storage, STORE_ID).unwrap();
        let mut executor = executor(open(&storage, 1, None).unwrap().0);
        let places: Vec<_> = (0..orders).map(|order| submission(3 * order)).collect();
        for batch in places.chunks(8) {
            executor.run(batch).unwrap();
        }
        let state = state_of(executor.store().state());
        super::write_checkpoint(&storage, STORE_ID, &mut source(executor.store())).unwrap();
        let loaded = super::load_newest(
            &storage,
            STORE_ID,
            super::LoadOptions { share: super::Share::ALL, command_ids_max: 12 },
        )
        .unwrap();
        assert_eq!((loaded.covered, loaded.required), (Lsn(orders), Lsn(orders)));
        assert!(state_of(&loaded.state) == state, "{orders}");
        let commands = |state: &super::StoreState| state.commands.copy(0, 100).0.len();
        assert_eq!(commands(&loaded.state), commands(executor.store().state()));
    }
}

#[test]
fn a_checkpoint_with_fewer_orders_than_it_says_is_damage() {
    let refused = |blocks: &[&[u8]]| {
        let storage = Watched::new();
        let mut writer = CheckpointWriter::create(&storage, STORE_ID, ChainEnd { lsn: Lsn(3), chain: 0 }).unwrap();
        for block in blocks {
            writer.block(block).unwrap();
        }
        writer.finish(&storage, ChainEnd { lsn: Lsn(3), chain: 0 }).unwrap();
        super::verify_checkpoint(&storage, STORE_ID, Lsn(3)).map(drop).map_err(|error| error.to_string())
    };
    // Meta: version, the last event's number, how many orders follow, epoch, and what the sinks hold.
    assert_eq!(refused(&[&[1, 1, 7, 0, 1, 3]]), Ok(()));
    for blocks in [vec![], vec![&[1, 1, 7, 1, 1, 3][..]]] {
        assert!(refused(&blocks).unwrap_err().ends_with("orders are missing"));
    }
    // Meta twice, sinks after lanes.
    for blocks in [vec![&[1, 1, 7, 0, 1, 3][..]; 2], vec![&[1, 1, 7, 0, 1, 3], &[5], &[4]], vec![&[2]]] {
        assert!(refused(&blocks).unwrap_err().ends_with("its sections are out of order"));
    }
    // What is intact and unknown was written by a newer version.
    for blocks in [vec![&[1, 2, 7, 0][..]], vec![&[1, 1, 7, 0, 1, 3], &[6, 0]]] {
        assert!(refused(&blocks).unwrap_err().ends_with("which this orderd does not know"));
    }
}
