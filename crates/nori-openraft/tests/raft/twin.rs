//! What a storage should hold, in maps: the same steps on both, and what a crash may leave.

use crate::rig::{Answer, Rig, contents, log_state, next, snapshot_of, wait};
use crate::truth::{Id, Truth, Types, command, id};
use nori_env::{MemFs, Rng};
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::{Entry, EntryPayload, RaftLogReader, RaftSnapshotBuilder, StorageHelper, Vote};
use std::collections::BTreeMap;

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append(Vec<Entry<Types>>),
    Truncate(u64),
    Purge(Id),
    Vote(u64),
    Commit(u64),
    /// Up to before this index.
    Apply(u64),
    Build,
    /// Everything before this index.
    Install(u64),
}

/// What a storage should hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Twin {
    pub(crate) log: BTreeMap<u64, Entry<Types>>,
    pub(crate) purged: Option<Id>,
    pub(crate) vote: u64,
    pub(crate) committed: Option<Id>,
    pub(crate) applied: Option<Id>,
    /// What `applied` was when something was last synced.
    pub(crate) durable: Option<Id>,
    /// The log id of the current snapshot.
    pub(crate) snapshot: Option<Option<Id>>,
    /// How many entries from the start are those of the cluster; others are to be truncated.
    agreed: u64,
}

impl Twin {
    pub(crate) fn last(&self) -> Option<Id> {
        self.log.last_key_value().map(|(_, entry)| entry.log_id).or(self.purged)
    }

    /// The next step of a random program; what raft would not do is not among them.
    pub(crate) fn choose(&self, rng: &mut Rng, truth: &mut Truth) -> Step {
        let (end, applied, agreed) = (next(self.last()), next(self.applied), self.agreed);
        let committed = next(self.committed).max(applied);
        match rng.below(20) {
            0..5 if end > agreed && rng.chance(70) => Step::Truncate(agreed),
            0..5 if end > agreed || rng.chance(20) => Step::Append(junk(rng, end)),
            0..5 => Step::Append(truth.entries(end..end + 1 + rng.below(6))),
            5 if end > committed => Step::Truncate(committed + rng.below(end - committed)),
            6 => Step::Vote(self.vote + 1 + rng.below(2)),
            7..10 if agreed > committed => Step::Commit(committed + rng.below(agreed - committed)),
            10..15 if committed > applied => {
                Step::Apply(applied + 1 + rng.below(committed - applied))
            }
            15..17 if applied > next(self.purged) => {
                let from = next(self.purged);
                Step::Purge(truth.id(from + rng.below(applied - from)))
            }
            17 => Step::Build,
            // Before a snapshot is installed openraft truncates what is not the cluster's.
            18 if end <= agreed => Step::Install(applied.max(1) + rng.below(12)),
            _ => Step::Append(truth.entries(agreed.min(end)..agreed.min(end))),
        }
    }

    /// The step on the storage.
    pub(crate) fn run(&self, step: &Step, rig: &mut Rig, truth: &mut Truth) -> Answer<()> {
        match step.clone() {
            Step::Append(entries) => wait(rig.log.blocking_append(entries)),
            Step::Truncate(from) => wait(rig.log.truncate(id(1, 1, from))),
            Step::Purge(upto) => wait(rig.log.purge(upto)),
            Step::Vote(term) => wait(rig.log.save_vote(&Vote::new(term, 1))),
            Step::Commit(index) => wait(rig.log.save_committed(Some(truth.id(index)))),
            Step::Apply(end) => {
                let range = next(self.applied)..end;
                let replies = wait(rig.machine.apply(truth.entries(range.clone())))?;
                assert_eq!(replies, truth.replies(range));
                Ok(())
            }
            Step::Build => {
                wait(async { rig.machine.get_snapshot_builder().await.build_snapshot().await })
                    .map(|built| assert_eq!(built.meta.last_log_id, self.applied))
            }
            Step::Install(end) => {
                let snapshot = snapshot_of(truth, end);
                rig.take_and_purge(snapshot)
            }
        }
    }

    /// The step here.
    pub(crate) fn apply(&mut self, step: &Step, truth: &mut Truth) {
        match step.clone() {
            Step::Append(entries) => {
                if let Some(last) = entries.last() {
                    self.durable = self.applied;
                    let ours = truth.entries(last.log_id.index..last.log_id.index + 1);
                    if ours[0] == *last {
                        self.agreed = last.log_id.index + 1;
                    }
                }
                self.log.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
            }
            Step::Truncate(from) => {
                if next(self.last()) > from {
                    self.durable = self.applied;
                }
                self.log.split_off(&from);
                self.agreed = self.agreed.min(from.max(next(self.purged)));
            }
            Step::Purge(upto) => {
                self.log = self.log.split_off(&(upto.index + 1));
                (self.purged, self.durable) = (Some(upto), self.applied);
                self.agreed = self.agreed.max(upto.index + 1);
            }
            Step::Vote(term) => (self.vote, self.durable) = (term, self.applied),
            Step::Commit(index) => self.committed = Some(truth.id(index)),
            Step::Apply(end) => self.applied = Some(truth.id(end - 1)),
            Step::Build => {
                (self.snapshot, self.durable) = (Some(self.applied), self.applied);
            }
            Step::Install(end) => {
                self.applied = Some(truth.id(end - 1));
                (self.snapshot, self.durable) = (Some(self.applied), self.applied);
                self.agreed = self.agreed.max(end);
                if self.purged < self.applied {
                    self.log = self.log.split_off(&end);
                    self.purged = self.applied;
                }
            }
        }
    }

    /// The storage holds exactly this.
    pub(crate) fn check(&self, rig: &mut Rig, truth: &mut Truth, rng: &mut Rng, told: &str) {
        assert_eq!(log_state(rig), (self.purged, self.last()), "{told}");
        let all: Vec<_> = self.log.values().cloned().collect();
        assert_eq!(rig.entries(), all, "{told}");
        let (lo, hi) = (rng.below(40), rng.below(40));
        let some = wait(rig.log.try_get_log_entries(lo..hi)).unwrap();
        assert!(some.iter().eq(all.iter().filter(|e| (lo..hi).contains(&e.log_id.index))));
        if let Some(first) = self.log.keys().next() {
            let end = next(self.last());
            let some = wait(rig.log.limited_get_log_entries(*first, end)).unwrap();
            assert!(!some.is_empty() && all.starts_with(&some), "{told}");
        }
        let vote = wait(rig.log.read_vote()).unwrap();
        assert_eq!(vote.map_or(0, |vote| vote.leader_id.term), self.vote, "{told}");
        assert_eq!(wait(rig.log.read_committed()).unwrap(), self.committed, "{told}");
        assert_eq!(rig.applied(), self.applied, "{told}");
        rig.check_state(truth, told);
        if rng.chance(15) {
            assert_eq!(rig.check_snapshot(truth, told), self.snapshot, "{told}");
        }
    }

    /// What a crash during a step that makes `after` of this may leave; `is_kill` if only the
    /// process died.
    pub(crate) fn check_crash(
        &self,
        after: &Twin,
        rig: &mut Rig,
        truth: &mut Truth,
        is_kill: bool,
        told: &str,
    ) {
        let (purged, last) = log_state(rig);
        assert!([self.purged, after.purged].contains(&purged), "{told}: purged {purged:?}");
        let entries = rig.entries();
        let mut expected = next(purged);
        for entry in &entries {
            let index = entry.log_id.index;
            // A log may begin anywhere as long as nothing was purged.
            assert!(index == expected, "{told}: a hole before {index}");
            expected = index + 1;
            let known = [self.log.get(&index), after.log.get(&index)];
            assert!(known.contains(&Some(entry)), "{told}: {entry:?} is not known");
        }
        assert_eq!(next(last), expected, "{told}");
        for (index, entry) in self.log.range(next(purged)..) {
            let stays = after.log.get(index) == Some(entry) || *index < next(after.purged);
            assert!(!stays || entries.contains(entry), "{told}: entry {index} is lost");
        }
        if after.log.len() > self.log.len() {
            assert!([self.last(), after.last()].contains(&last), "{told}: half of an append");
        }
        let vote = wait(rig.log.read_vote()).unwrap().map_or(0, |vote| vote.leader_id.term);
        assert!([self.vote, after.vote].contains(&vote), "{told}: vote {vote}");
        let committed = wait(rig.log.read_committed()).unwrap();
        assert!(committed <= after.committed, "{told}: committed {committed:?}");
        assert!(!is_kill || committed >= self.committed, "{told}: committed {committed:?}");
        let applied = rig.applied();
        let least = if is_kill { self.applied } else { self.durable };
        assert!(applied >= least && applied <= after.applied, "{told}: applied {applied:?}");
        assert!(applied >= purged, "{told}: purged {purged:?}, and applied {applied:?}");
        assert!(committed <= last.max(applied), "{told}: committed {committed:?}, last {last:?}");
        rig.check_state(truth, told);
        let snapshot = rig.check_snapshot(truth, told);
        assert!([self.snapshot, after.snapshot].contains(&snapshot), "{told}: {snapshot:?}");
    }
}

/// What openraft does when it starts: applies again what was committed, and mends the log. Then
/// the storage is used.
pub(crate) fn go_on(rig: &mut Rig, truth: &mut Truth, told: &str) {
    let committed = wait(rig.log.read_committed()).unwrap();
    let reached = committed.max(rig.applied());
    let (log, machine) = (&mut rig.log, &mut rig.machine);
    wait(StorageHelper::new(log, machine).get_initial_state())
        .unwrap_or_else(|e| panic!("{told}: {e}"));
    assert_eq!(rig.applied(), reached, "{told}");
    rig.check_state(truth, told);
    let (end, applied) = (next(log_state(rig).1), next(rig.applied()));
    wait(async {
        // What this node had alone goes, as if another one were the leader now.
        rig.log.truncate(id(1, 1, applied)).await?;
        rig.log.blocking_append(truth.entries(applied..end.max(applied) + 2)).await?;
        rig.machine.apply(truth.entries(applied..applied + 2)).await?;
        rig.machine.get_snapshot_builder().await.build_snapshot().await?;
        rig.log.purge(truth.id(applied)).await
    })
    .unwrap_or_else(|e| panic!("{told}: {e}"));
    rig.check_state(truth, told);
    assert_eq!(rig.entries().len() as u64, end.max(applied) + 1 - applied, "{told}");
}

/// No file and no keyspace is left of what was not finished.
pub(crate) fn check_leftovers(disk: &MemFs, rig: &Rig, told: &str) {
    let files = disk.files();
    let snapshots = files.iter().filter(|(path, _)| path.starts_with("/raft/snapshots"));
    let names: Vec<_> = snapshots.map(|(path, _)| path.clone()).collect();
    let is_clean = names.iter().all(|path| path.extension().is_some_and(|end| end == "snap"));
    assert!(names.len() <= 1 && is_clean, "{told}: {names:?}");
    let spaces = rig.store.store().keyspaces();
    let states = spaces.iter().filter(|name| name.starts_with("raft-state-")).count();
    assert_eq!(states, 1, "{told}: {spaces:?}");
    let _ = contents(&rig.store);
}

/// Entries of a leader that did not get them agreed.
fn junk(rng: &mut Rng, from: u64) -> Vec<Entry<Types>> {
    let count = 1 + rng.below(5);
    let entries = (from..from + count).map(|index| {
        let payload = EntryPayload::Normal(command(rng));
        Entry { log_id: id(50, 2, index), payload }
    });
    entries.collect()
}
