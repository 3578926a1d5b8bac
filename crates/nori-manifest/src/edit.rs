//! Edits: what one manifest record says.
//!
//! An edit is computed against the newest version, under the lock that orders edits, and logged
//! before the lock is let go. It names what it removes, so applying it to a version that it was
//! not made for is an error and never a guess.
//!
//! One edit is one step for readers and for a crash: runs out, runs in, guards, keyspaces and
//! positions change together or not at all.

mod flush;
mod moves;
mod shape;

pub(crate) use flush::numbers;
pub(crate) use moves::check_move;

use crate::catalog::Keyspace;
use crate::slot::{NewGuard, Sizes};
use crate::{Error, Result, SlotId, Version};
use nori_types::{FileNumber, KeyRange, SeqNo, TableMeta};
use nori_wal::Position;

/// A change of a version. Made by the `edit_` verbs of [`Version`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionEdit {
    /// Tables that this edit names first.
    pub(crate) tables: Vec<TableMeta>,
    pub(crate) changes: Vec<SlotChange>,
    /// Created or dropped.
    pub(crate) keyspaces: Vec<Keyspace>,
    /// Measured bytes of references that `changes` narrows.
    pub(crate) sizes: Sizes,
    /// The sequence of the flush that this edit installs.
    pub(crate) flush: Option<u64>,
    pub(crate) last_seq: SeqNo,
    pub(crate) wal_floor: u64,
    pub(crate) durable: Position,
    pub(crate) next_file: u64,
}

/// A change of one slot, or of two neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotChange {
    /// What a flush left here becomes the newest run.
    Add { slot: SlotId, run: NewRun },
    /// The runs from index `first` on whose tables are `removed` make place for one, or for none.
    Replace { slot: SlotId, first: usize, removed: Vec<Vec<FileNumber>>, run: Option<NewRun> },
    /// The slot is cut. The first part keeps its name and its runs' order.
    Split { slot: SlotId, guards: Vec<NewGuard> },
    /// The slot's guard was given by the user.
    Keep { slot: SlotId },
    /// Two neighbours become one.
    Merge { left: SlotId, right: SlotId },
    /// Run `from` joins the older run `to`, which has this level; `to == from`: it only gets it.
    Move { slot: SlotId, from: usize, to: usize, level: u8 },
}

/// A run of new tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewRun {
    pub(crate) refs: Vec<NewRef>,
    pub(crate) flush_seq: u64,
    pub(crate) level: u8,
}

/// A reference to one of the edit's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewRef {
    pub(crate) number: FileNumber,
    pub(crate) range: KeyRange,
    pub(crate) bytes: u64,
}

impl VersionEdit {
    /// The edit with the number of the next file recorded: at least `next_file`.
    #[must_use]
    pub fn with_next_file(mut self, next_file: u64) -> VersionEdit {
        self.next_file = self.next_file.max(next_file);
        self
    }

    /// The tables that the edit names first.
    pub fn new_tables(&self) -> &[TableMeta] {
        &self.tables
    }

    /// The sequence of the flush that the edit installs.
    pub fn flush_seq(&self) -> Option<u64> {
        self.flush
    }

    /// What a flush's edit brings to slots: slot, table, about how many of its bytes.
    pub fn fragments(&self) -> impl Iterator<Item = (SlotId, FileNumber, u64)> {
        self.changes.iter().flat_map(|change| {
            let (slot, refs) = match change {
                SlotChange::Add { slot, run } => (*slot, &run.refs[..]),
                _ => (SlotId::default(), &[][..]),
            };
            refs.iter().map(move |r| (slot, r.number, r.bytes))
        })
    }

    /// The slots in which the edit moves runs.
    pub fn moved(&self) -> impl Iterator<Item = SlotId> {
        self.changes.iter().filter_map(|change| match change {
            SlotChange::Move { slot, .. } => Some(*slot),
            _ => None,
        })
    }

    /// The id of the keyspace that the edit creates or drops.
    pub fn keyspace(&self) -> Option<u32> {
        self.keyspaces.first().map(|k| k.id)
    }

    /// Slot, first run and number of the runs that the edit removes.
    pub(crate) fn removed(&self) -> impl Iterator<Item = (SlotId, usize, usize)> {
        self.changes.iter().filter_map(|change| match change {
            SlotChange::Replace { slot, first, removed, .. } => {
                Some((*slot, *first, removed.len()))
            }
            _ => None,
        })
    }

    /// The slots that the edit cuts, and the parts.
    fn cut_slots(&self) -> Vec<SlotId> {
        let splits = self.changes.iter().filter_map(|change| match change {
            SlotChange::Split { slot, guards } => Some((slot, guards)),
            _ => None,
        });
        splits
            .flat_map(|(id, guards)| [*id].into_iter().chain(guards.iter().map(|g| g.slot)))
            .collect()
    }
}

/// Looks up how many bytes of a file lie in a range, by the file's index.
type Measure<'a> = &'a dyn Fn(FileNumber, &KeyRange) -> Option<u64>;

impl Version {
    /// The edit with the bytes of the references that it makes or narrows measured, where
    /// `measure` knows them; without, a straddling table counts evenly on all sides.
    ///
    /// # Errors
    /// As [`Version::apply`].
    pub fn measured(&self, mut edit: VersionEdit, measure: Measure<'_>) -> Result<VersionEdit> {
        for change in &mut edit.changes {
            let (SlotChange::Add { run, .. } | SlotChange::Replace { run: Some(run), .. }) = change
            else {
                continue;
            };
            for r in &mut run.refs {
                r.bytes = measure(r.number, &r.range).unwrap_or(r.bytes);
            }
        }
        let after = self.apply(&edit)?;
        for id in edit.cut_slots() {
            let Some((_, slot)) = after.slot_by_id(id) else { continue };
            for table in slot.tables().filter(|t| !t.is_whole()) {
                if let Some(bytes) = measure(table.file.number(), &table.range) {
                    let key = (table.file.number().0, table.range.lo.clone());
                    edit.sizes.insert(key, bytes);
                }
            }
        }
        Ok(edit)
    }

    /// An edit that changes no slot: it only raises positions. Recovery uses it.
    pub fn edit_positions(
        &self,
        wal_floor: u64,
        last_seq: SeqNo,
        durable: Position,
    ) -> VersionEdit {
        VersionEdit { wal_floor, last_seq, durable, ..VersionEdit::default() }
    }

    /// A new keyspace, named in the catalog and cut off the empty slot above all others. Its id
    /// is `self.catalog.next_id()`. `durable` is the WAL's durable position, at or behind the
    /// record that `created` stands for.
    ///
    /// # Errors
    /// [`Error::Misfit`] if the name is taken, empty or too long.
    pub fn edit_create_keyspace(
        &self,
        name: &str,
        created: SeqNo,
        durable: Position,
    ) -> Result<VersionEdit> {
        let id = self.catalog.next_id();
        let keyspace = Keyspace { id, name: name.to_string(), created, dropped: None };
        self.catalog.with(&keyspace)?;
        let Some(tail) = self.slots().next_back() else {
            return Error::misfit("a version without slots");
        };
        let key = crate::catalog::key_prefix(id.saturating_add(1));
        let guard = NewGuard { key, slot: SlotId(self.next_slot), kept: false };
        let split = SlotChange::Split { slot: tail.id, guards: vec![guard] };
        let (keyspaces, changes) = (vec![keyspace], vec![split]);
        Ok(VersionEdit { keyspaces, changes, durable, ..VersionEdit::default() })
    }

    /// A keyspace dropped at sequence number `dropped`, which is visible already.
    ///
    /// # Errors
    /// [`Error::Misfit`] if it does not exist, is dropped already, or is "default".
    pub fn edit_drop_keyspace(
        &self,
        id: u32,
        dropped: SeqNo,
        durable: Position,
    ) -> Result<VersionEdit> {
        let Some(keyspace) = self.catalog.get(id) else {
            return Error::misfit(format!("keyspace {id} does not exist"));
        };
        let keyspace = Keyspace { dropped: Some(dropped), ..keyspace.clone() };
        self.catalog.with(&keyspace)?;
        Ok(VersionEdit { keyspaces: vec![keyspace], durable, ..VersionEdit::default() })
    }
}
