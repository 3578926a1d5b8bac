//! openraft's own tests of a storage.

use crate::rig::options;
use crate::truth::{Types, Words};
use nori_env::{FileSystem, MemFs, OsFs};
use nori_openraft::{Applier, LogStore, RaftStore};
use nori_testkit::TempDir;
use openraft::StorageError;
use openraft::testing::{StoreBuilder, Suite};
use std::sync::Arc;

type Built<G> = (G, LogStore<Types>, Applier<Types, Words>);

struct InMemory;

impl StoreBuilder<Types, LogStore<Types>, Applier<Types, Words>> for InMemory {
    async fn build(&self) -> Result<Built<()>, StorageError<u64>> {
        let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(1));
        let store = RaftStore::open("/raft", options(&fs), Words).unwrap();
        Ok(((), store.log(), store.state_machine()))
    }
}

struct OnDisk;

impl StoreBuilder<Types, LogStore<Types>, Applier<Types, Words>, TempDir> for OnDisk {
    async fn build(&self) -> Result<Built<TempDir>, StorageError<u64>> {
        let dir = TempDir::new("nori-openraft-suite");
        let fs: Arc<dyn FileSystem> = Arc::new(OsFs);
        let store = RaftStore::open(dir.path().join("node"), options(&fs), Words).unwrap();
        Ok((dir, store.log(), store.state_machine()))
    }
}

#[test]
fn the_suite_of_openraft_passes_in_memory() {
    Suite::test_all(InMemory).unwrap();
}

#[test]
fn the_suite_of_openraft_passes_on_a_disk() {
    Suite::test_all(OnDisk).unwrap();
}
