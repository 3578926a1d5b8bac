//! Commit groups, the seal gate, rotation; snapshots; keyspaces.

use crate::plant::Plant;
use crate::world::{Acted, Entry, KEYS, KEYSPACES, Key, Memtable, Seq, World};
use nori_env::Rng;
use nori_types::SeqNo;

/// A commit group between its entry into the gate and its publication.
pub struct Group {
    pub last: Seq,
    pub memtable: Option<u32>,
    pub entries: Vec<Entry>,
    pub inserted: bool,
}

impl World {
    /// Enters the active memtable's gate, then takes sequence numbers.
    pub fn write_begin(&mut self, r: &mut Rng) -> Acted {
        if self.groups.len() >= 3 {
            return Ok(false);
        }
        let active = self.current.memtables[0];
        let mut entries = vec![];
        for _ in 0..1 + r.below(3) {
            let keyspace = *r.pick(&self.writable);
            // A sweep: the keys that are written now lie beside those before.
            let user = if self.sweeps { self.next_seq / 12 } else { r.next_u64() };
            let key = keyspace * KEYS + (user % Seq::from(KEYS)) as Key;
            let (seq, tombstone) = (self.next_seq, r.below(3) == 0);
            self.next_seq += 1;
            entries.push(Entry { key, seq, tombstone, value: seq });
            self.oracle.write(key, seq, (!tombstone).then_some(seq));
        }
        self.memtables.get_mut(&active).unwrap().writers += 1;
        let last = self.next_seq - 1;
        self.groups.push_back(Group { last, memtable: Some(active), entries, inserted: false });
        Ok(true)
    }

    pub fn write_insert(&mut self, r: &mut Rng) -> Acted {
        let at = r.index(self.groups.len().max(1));
        let Some(group) = self.groups.get_mut(at).filter(|g| !g.inserted) else {
            return Ok(false);
        };
        group.inserted = true;
        if let Some(id) = group.memtable {
            let memtable = self.memtables.get_mut(&id).ok_or("a memtable went under its writer")?;
            memtable.entries.append(&mut group.entries);
        }
        Ok(true)
    }

    /// Advances the visible number in order, after the inserts; then leaves the gate.
    pub fn write_publish(&mut self, _: &mut Rng) -> Acted {
        let early = self.broken(Plant::VisibleBeforeInsert);
        if !self.groups.front().is_some_and(|g| g.inserted || early) {
            return Ok(false);
        }
        let group = self.groups.pop_front().unwrap();
        self.visible = group.last;
        if early && !group.inserted {
            self.changed = true;
            self.groups.push_front(group);
            return Ok(true);
        }
        if let Some(memtable) = group.memtable.and_then(|m| self.memtables.get_mut(&m)) {
            memtable.writers -= 1;
        }
        Ok(true)
    }

    pub fn rotate(&mut self, _: &mut Rng) -> Acted {
        let active = &self.memtables[&self.current.memtables[0]];
        let empty = active.entries.is_empty() && active.writers == 0;
        if empty || self.current.memtables.len() > 3 {
            return Ok(false);
        }
        let id = self.new_id();
        self.memtables.insert(id, Memtable::default());
        self.current.memtables.insert(0, id);
        Ok(true)
    }

    /// Loads the visible number and registers it in one step.
    pub fn snapshot_open(&mut self, _: &mut Rng) -> Acted {
        if self.broken(Plant::SnapshotNotAtomic) && self.opening.is_empty() {
            self.opening.push(self.visible);
            return Ok(true);
        }
        let at = match self.opening.pop() {
            Some(at) => at,
            None if self.snapshots.len() < 3 => self.visible,
            None => return Ok(false),
        };
        self.snapshots.push(self.registry.register(|| SeqNo::new(at)));
        Ok(true)
    }

    pub fn snapshot_drop(&mut self, r: &mut Rng) -> Acted {
        if self.snapshots.is_empty() {
            return Ok(false);
        }
        drop(self.snapshots.swap_remove(r.index(self.snapshots.len())));
        Ok(true)
    }

    /// Synced before the first batch may name the id.
    pub fn keyspace_create(&mut self, _: &mut Rng) -> Acted {
        let id = self.current.version.catalog.next_id() as Key;
        if self.writable.len() > 2 || id >= KEYSPACES {
            return Ok(false);
        }
        let (name, created) = (format!("keyspace {id}"), SeqNo::new(self.visible));
        let version = &self.current.version;
        let edit = version.edit_create_keyspace(&name, created, version.durable);
        self.install(edit.map_err(|e| e.to_string())?)?;
        self.oracle.create(id, self.visible);
        self.writable.push(id);
        Ok(true)
    }

    /// Takes its number in the commit queue; writes that name the keyspace fail from here on.
    pub fn keyspace_drop(&mut self, r: &mut Rng) -> Acted {
        if self.writable.len() < 2 || self.groups.len() >= 3 {
            return Ok(false);
        }
        let id = self.writable.remove(1 + r.index(self.writable.len() - 1));
        let at = self.next_seq;
        self.next_seq += 1;
        let entries = vec![];
        self.groups.push_back(Group { last: at, memtable: None, entries, inserted: false });
        self.pending_drops.push((id, at));
        self.oracle.drop_keyspace(id, Some(at));
        Ok(true)
    }

    /// The catalog record, once the drop is visible.
    pub fn keyspace_drop_install(&mut self, r: &mut Rng) -> Acted {
        let Some((id, at)) = self.pending_drops.get(r.index(self.pending_drops.len().max(1)))
        else {
            return Ok(false);
        };
        let (id, at) = (*id, *at);
        if at > self.visible {
            return Ok(false);
        }
        self.pending_drops.retain(|(other, _)| *other != id);
        let version = &self.current.version;
        let edit = version.edit_drop_keyspace(id.into(), SeqNo::new(at), version.durable);
        self.install(edit.map_err(|e| e.to_string())?)?;
        Ok(true)
    }
}
