//! One behaviour each.

use crate::rig::{Rig, contents, next, snapshot_of, wait};
use crate::truth::{Command, Reply, Truth, Types, id};
use nori_openraft::{Error, RaftStore, Result, StateBatch, StateMachine};
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::{Entry, EntryPayload, RaftLogReader, RaftSnapshotBuilder, Vote};
use std::io::SeekFrom;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

fn build(rig: &mut Rig) -> openraft::Snapshot<Types> {
    wait(async { rig.machine.get_snapshot_builder().await.build_snapshot().await }).unwrap()
}

#[test]
fn an_append_that_would_leave_a_hole_is_refused() {
    let (_, mut rig) = Rig::in_memory(1);
    let mut truth = Truth::new(1);
    wait(rig.log.blocking_append(truth.entries(0..3))).unwrap();
    let hole = wait(rig.log.blocking_append(truth.entries(4..6))).unwrap_err();
    assert!(hole.to_string().contains("would leave a hole"), "{hole}");
    assert_eq!(rig.entries(), truth.entries(0..3));
}

#[test]
fn what_is_not_applied_is_not_purged() {
    let (_, mut rig) = Rig::in_memory(1);
    let mut truth = Truth::new(1);
    wait(rig.log.blocking_append(truth.entries(0..9))).unwrap();
    wait(rig.machine.apply(truth.entries(0..4))).unwrap();
    let refused = wait(rig.log.purge(truth.id(4))).unwrap_err();
    assert!(refused.to_string().contains("cannot be purged"), "{refused}");
    assert_eq!(rig.entries().len(), 9);
    let again = wait(rig.machine.apply(truth.entries(3..5))).unwrap_err();
    assert!(again.to_string().contains("cannot be applied"), "{again}");
}

#[test]
fn a_snapshot_holds_its_moment_while_requests_are_applied() {
    let (_, mut rig) = Rig::in_memory(2);
    let mut truth = Truth::new(2);
    wait(rig.machine.apply(truth.entries(0..30))).unwrap();
    let mut builder = wait(rig.machine.get_snapshot_builder());
    wait(rig.machine.apply(truth.entries(30..60))).unwrap();
    let built = wait(builder.build_snapshot()).unwrap();
    assert_eq!(built.meta.last_log_id, Some(truth.id(29)));
    assert_eq!(rig.check_snapshot(&mut truth, "late"), Some(Some(truth.id(29))));
    // One that is built late does not take the place of a later one.
    let mut late = wait(rig.machine.get_snapshot_builder());
    wait(rig.machine.apply(truth.entries(60..70))).unwrap();
    build(&mut rig);
    let built = wait(late.build_snapshot()).unwrap();
    assert_eq!(built.meta.last_log_id, Some(truth.id(59)));
    assert_eq!(rig.check_snapshot(&mut truth, "later"), Some(Some(truth.id(69))));
}

#[test]
fn the_current_snapshot_survives_and_a_damaged_one_is_forgotten() {
    let (disk, mut rig) = Rig::in_memory(3);
    let mut truth = Truth::new(3);
    wait(rig.machine.apply(truth.entries(0..30))).unwrap();
    let built = build(&mut rig);
    let path = built.snapshot.path().with_extension("snap");
    let mut rig = rig.reopen();
    let found = wait(rig.machine.get_current_snapshot()).unwrap().unwrap();
    assert_eq!((found.meta, found.snapshot.path()), (built.meta, &*path));
    for damage in ["byte", "file"] {
        rig = rig.reopen();
        if damage == "byte" {
            assert!(disk.corrupt(&path, 100, 1));
        } else {
            assert!(disk.remove_file(build(&mut rig).snapshot.path().with_extension("snap")));
        }
        let mut again = rig.reopen();
        assert!(wait(again.machine.get_current_snapshot()).unwrap().is_none(), "{damage}");
        again.check_state(&mut truth, damage);
        rig = again;
    }
    build(&mut rig);
    assert_eq!(rig.check_snapshot(&mut truth, "mended"), Some(Some(truth.id(29))));
}

#[test]
fn a_snapshot_of_another_moment_or_an_older_one_is_refused() {
    let (_, mut rig) = Rig::in_memory(4);
    let mut truth = Truth::new(4);
    let mut lying = snapshot_of(&mut truth, 20);
    lying.meta.last_log_id = Some(truth.id(20));
    let refused = rig.take(lying).unwrap_err();
    assert!(refused.to_string().contains("the meta of a snapshot"), "{refused}");
    wait(rig.machine.apply(truth.entries(0..25))).unwrap();
    let old = snapshot_of(&mut truth, 20);
    let refused = rig.take(old).unwrap_err();
    assert!(refused.to_string().contains("older than the state"), "{refused}");
    rig.check_state(&mut truth, "refused");
    assert_eq!(rig.store.store().keyspaces().len(), 4);
}

/// A view, a builder and a file that is being sent outlive the state that they are of.
#[test]
fn readers_keep_what_an_installed_snapshot_replaces() {
    let (_, mut rig) = Rig::in_memory(5);
    let mut truth = Truth::new(5);
    wait(rig.machine.apply(truth.entries(0..20))).unwrap();
    let mut sent = build(&mut rig);
    let (view, before) = (rig.store.view().unwrap(), contents(&rig.store));
    let mut builder = wait(rig.machine.get_snapshot_builder());
    let newer = snapshot_of(&mut truth, 40);
    rig.take(newer).unwrap();
    let seen: Vec<_> = view.iter().map(|item| item.unwrap().0.to_vec()).collect();
    assert!(seen.iter().eq(before.keys()));
    assert_eq!(wait(builder.build_snapshot()).unwrap().meta.last_log_id, Some(truth.id(19)));
    let mut bytes = Vec::new();
    assert!(wait(sent.snapshot.read_to_end(&mut bytes)).unwrap() > 100);
    assert_eq!(rig.check_snapshot(&mut truth, "installed"), Some(Some(truth.id(39))));
}

#[test]
fn a_received_file_is_written_and_read_like_any_and_goes_when_nobody_wants_it() {
    let (disk, mut rig) = Rig::in_memory(6);
    let path = wait(async {
        let mut file = rig.machine.begin_receiving_snapshot().await.unwrap();
        file.write_all(b"0123456789").await.unwrap();
        file.seek(SeekFrom::Start(4)).await.unwrap();
        file.write_all(b"xy").await.unwrap();
        assert_eq!(file.seek(SeekFrom::End(-8)).await.unwrap(), 2);
        let (mut three, mut rest) = ([0; 3], Vec::new());
        file.read_exact(&mut three).await.unwrap();
        assert_eq!((&three, file.stream_position().await.unwrap()), (b"23x", 5));
        file.read_to_end(&mut rest).await.unwrap();
        assert_eq!((&rest[..], file.len()), (&b"y6789"[..], 10));
        assert!(file.seek(SeekFrom::Current(-11)).await.is_err());
        file.path().to_path_buf()
    });
    // The thread that removes it does so before it does anything else.
    let _ = wait(rig.log.read_vote()).unwrap();
    assert!(disk.read_file(&path).is_none());
    let built = build(&mut rig);
    let refused = wait(async { Box::leak(built.snapshot).write_all(b"x").await }).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
}

/// Entries that are appended at one end and purged at the other cost no more disk in the end.
#[test]
fn a_log_that_is_purged_gives_its_space_back() {
    let (_, mut rig) = Rig::in_memory(7);
    let (mut highest, mut early) = (0, 0);
    for round in 0..120_u64 {
        let entries = (round * 20..round * 20 + 20).map(|index| {
            let command = Command::Put("key".into(), "v".repeat(200));
            Entry { log_id: id(1, 1, index), payload: EntryPayload::Normal(command) }
        });
        let entries: Vec<Entry<Types>> = entries.collect();
        wait(rig.log.blocking_append(entries.clone())).unwrap();
        wait(rig.machine.apply(entries)).unwrap();
        if round > 0 {
            wait(rig.log.purge(id(1, 1, round * 20 - 1))).unwrap();
        }
        while rig.store.store().step().unwrap() {}
        let disk = rig.store.store().disk().unwrap();
        highest = highest.max(disk.tables_bytes + disk.wal_live_bytes + disk.wal_spare_bytes);
        if round == 9 {
            early = highest;
        }
    }
    assert!(highest < early * 2, "{early} bytes after 10 rounds, {highest} after 120");
    assert_eq!(rig.entries().len(), 20);
}

/// Votes for one thing, then panics; gives up on another.
struct Moody;

impl StateMachine<Types> for Moody {
    fn apply(&self, state: &mut StateBatch<'_>, command: Command) -> Result<Reply> {
        let Command::Put(key, value) = command else {
            return Err(Error::state_machine("only puts"));
        };
        assert_ne!(key, "panic", "on purpose");
        state.put(key, value);
        Ok(Reply(None))
    }

    fn blank(&self) -> Reply {
        Reply(None)
    }
}

#[test]
fn a_state_machine_that_fails_applies_nothing_of_the_call() {
    let disk: std::sync::Arc<dyn nori_env::FileSystem> =
        std::sync::Arc::new(nori_env::MemFs::new(8));
    let store = RaftStore::open("/raft", crate::rig::options(&disk), Moody).unwrap();
    let (mut machine, mut log) = (store.state_machine(), store.log());
    let entry =
        |index, command| Entry { log_id: id(1, 1, index), payload: EntryPayload::Normal(command) };
    let put = |key: &str| Command::Put(key.into(), "1".into());
    let entries = [entry(0, put("a")), entry(1, Command::Delete("a".into()))];
    let failed = wait(machine.apply(entries)).unwrap_err();
    assert!(failed.to_string().contains("only puts"), "{failed}");
    assert_eq!(wait(machine.applied_state()).unwrap().0, None);
    wait(machine.apply([entry(0, put("a"))])).unwrap();
    let ended = wait(machine.apply([entry(1, put("panic"))])).unwrap_err();
    assert!(ended.to_string().contains("raft-state"), "{ended}");
    assert!(wait(machine.apply([entry(1, put("b"))])).is_err());
    // The log has a thread of its own.
    wait(log.save_vote(&Vote::new(3, 1))).unwrap();
    assert_eq!(store.view().unwrap().get("a").unwrap().as_deref(), Some(&b"1"[..]));
}

#[test]
fn a_closed_storage_says_so() {
    let (_, mut rig) = Rig::in_memory(9);
    let mut truth = Truth::new(9);
    wait(rig.log.blocking_append(truth.entries(0..3))).unwrap();
    rig.store.clone().close().unwrap();
    let closed = wait(rig.log.blocking_append(truth.entries(3..4))).unwrap_err();
    assert!(closed.to_string().contains("closed"), "{closed}");
    assert!(wait(rig.log.try_get_log_entries(..)).is_err());
    assert!(rig.store.view().is_err());
    assert_eq!(next(rig.applied()), 0);
}

#[test]
fn two_cannot_have_one_directory() {
    let (_, rig) = Rig::in_memory(10);
    let other = Rig::open(rig.fs.clone());
    assert!(matches!(other.err(), Some(Error::Store(nori_lsm::Error::Locked { .. }))));
}

/// A batch reads what stands in it over what is stored, in order.
struct Reader;

impl StateMachine<Types> for Reader {
    fn apply(&self, state: &mut StateBatch<'_>, command: Command) -> Result<Reply> {
        let told = match command {
            Command::Put(key, value) => {
                state.put(key, value);
                Vec::new()
            }
            Command::Delete(key) => {
                state.delete(key);
                Vec::new()
            }
            Command::Append(lo, hi) => state.range(lo..hi).collect::<Result<Vec<_>>>()?,
            Command::Count(prefix, _) => {
                state.prefix(prefix.as_bytes()).collect::<Result<Vec<_>>>()?
            }
        };
        let told = told.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        Ok(Reply(Some(told.collect::<Vec<_>>().join(" "))))
    }

    fn blank(&self) -> Reply {
        Reply(None)
    }
}

#[test]
fn a_batch_reads_its_own_writes_in_order() {
    let disk: std::sync::Arc<dyn nori_env::FileSystem> =
        std::sync::Arc::new(nori_env::MemFs::new(8));
    let store = RaftStore::open("/raft", crate::rig::options(&disk), Reader).unwrap();
    let mut machine = store.state_machine();
    let mut index = 0;
    let mut apply = |commands: Vec<Command>| {
        let entries: Vec<_> = commands
            .into_iter()
            .map(|command| {
                index += 1;
                Entry { log_id: id(1, 1, index), payload: EntryPayload::Normal(command) }
            })
            .collect();
        let replies = wait(machine.apply(entries)).unwrap();
        replies.last().unwrap().0.clone().unwrap()
    };
    let put = |key: &str| Command::Put(key.into(), "1".into());
    let delete = |key: &str| Command::Delete(key.into());
    apply(vec![put("b"), put("d"), put("f")]);
    let range = |lo: &str, hi: &str| Command::Append(lo.into(), hi.into());
    assert_eq!(
        apply(vec![put("a"), delete("d"), put("e"), put("g"), range("a", "z")]),
        "a b e f g"
    );
    assert_eq!(apply(vec![delete("a"), put("c"), range("b", "f")]), "b c e");
    assert_eq!(apply(vec![put("c1"), put("c2"), delete("c1"), range("z", "a")]), "");
    assert_eq!(apply(vec![put("c3"), Command::Count("c".into(), String::new())]), "c c2 c3");
}

/// openraft purges up to where a snapshot goes before that is installed. On a node without any
/// state, too, nothing is purged if the snapshot turns out to be damaged.
#[test]
fn a_purge_waits_for_the_snapshot_and_fails_with_it() {
    for applied in [0, 3] {
        let (_, mut rig) = Rig::in_memory(11);
        let mut truth = Truth::new(11);
        wait(rig.log.blocking_append(truth.entries(0..6))).unwrap();
        wait(rig.machine.apply(truth.entries(0..applied))).unwrap();
        let mut lying = snapshot_of(&mut truth, 20);
        lying.meta.last_log_id = Some(truth.id(20));
        let refused = rig.take_and_purge(lying).unwrap_err().to_string();
        assert!(refused.contains("the meta of a snapshot"), "{refused}");
        assert!(wait(rig.log.purge(truth.id(20))).is_err());
        assert_eq!(rig.entries(), truth.entries(0..6));
        let good = snapshot_of(&mut truth, 20);
        rig.take_and_purge(good).unwrap();
        assert_eq!((rig.entries().len(), rig.applied()), (0, Some(truth.id(19))));
        wait(rig.log.blocking_append(truth.entries(20..22))).unwrap();
        rig.check_state(&mut truth, "installed");
    }
}
