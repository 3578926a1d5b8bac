//! From a file to the state.

use super::build::Head;
use super::dir::Temporary;
use super::file::SnapshotFile;
use super::format::SnapshotReader;
use crate::error::{Error, Result};
use crate::records::{MetaOf, SnapshotRecord, decode, key, put, state_name, state_number};
use crate::state::Current;
use crate::store::Shared;
use nori_env::File;
use nori_env::sync::Arc;
use nori_lsm::{Durability, Keyspace, WriteBatch};
use openraft::RaftTypeConfig;

/// A file of another store is copied in pieces of this length.
const PIECE_BYTES: usize = 256 << 10;

impl<C: RaftTypeConfig<SnapshotData = SnapshotFile>> Shared<C> {
    /// An empty file to receive a snapshot in.
    pub(crate) fn receive(&self) -> Result<SnapshotFile> {
        let (temporary, file) = self.snapshots.create()?;
        SnapshotFile::receiving(file, &self.read_thread, temporary, self.arrivals.begin())
    }

    /// Makes a snapshot the state. After an error the state is the old one.
    pub(crate) fn install(
        &self,
        meta: &MetaOf<C>,
        file: Arc<dyn File>,
        temporary: Option<Temporary>,
    ) -> Result<()> {
        let before = self.state.current();
        if meta.last_log_id < before.applied {
            let (offered, applied) = (&meta.last_log_id, &before.applied);
            let what = format!("a snapshot of {offered:?} is older than the state at {applied:?}");
            return Err(Error::out_of_order(what));
        }
        let (temporary, file) = match temporary.filter(|own| own.is_in(&self.snapshots)) {
            Some(temporary) => (temporary, file),
            None => self.copy(&*file)?,
        };
        let number = self.unused_state(before.number);
        let keyspace = self.store.keyspace(&state_name(number))?;
        if let Err(error) = self.fill(&keyspace, &file, meta) {
            // Nothing names it. If it cannot be dropped, opening the store drops it.
            let _ = self.store.drop_keyspace(keyspace.name());
            return Err(error);
        }
        let switching = self.switching.lock();
        let (bytes, published) = (file.len()?, temporary.publish(&*file)?);
        let record = SnapshotRecord::<C> { number: published, bytes, meta: meta.clone() };
        let old = self.current_snapshot()?;
        self.switch(number, &record)?;
        *self.verified.lock() = Some(record.number);
        drop(switching);
        let (applied, membership) = (meta.last_log_id.clone(), meta.last_membership.clone());
        self.state.replace(Current { number, keyspace, applied, membership });
        // The old ones are nobody's; what stays of them is removed when the store is opened.
        let _ = self.store.drop_keyspace(before.keyspace.name());
        if let Some(old) = old {
            self.snapshots.remove(old.number);
        }
        Ok(())
    }

    /// A number that no keyspace has, not even one that could not be dropped.
    fn unused_state(&self, current: u64) -> u64 {
        let names = self.store.keyspaces();
        let taken = names.iter().filter_map(|name| state_number(name));
        taken.max().unwrap_or(current).max(current) + 1
    }

    /// Reads all of a snapshot into an empty keyspace and checks it.
    fn fill(&self, keyspace: &Keyspace, file: &Arc<dyn File>, meta: &MetaOf<C>) -> Result<()> {
        let (mut reader, head) = SnapshotReader::new(Arc::clone(file))?;
        let head: Head<C> = decode("the meta of a snapshot", &head)?;
        let told = Head::<C> {
            applied: meta.last_log_id.clone(),
            membership: meta.last_membership.clone(),
        };
        if head != told {
            let (told, found) = (format!("{told:?}"), format!("{head:?}"));
            return Err(Error::corrupt(file.path(), 0, "the meta of a snapshot", told, found));
        }
        let mut batch = WriteBatch::new();
        while let Some(entries) = reader.next_entries()? {
            for (key, value) in entries {
                batch.put_in(keyspace, key, value);
                if batch.byte_len() >= self.options.batch_bytes {
                    self.store.write_with(std::mem::take(&mut batch), Durability::Buffered)?;
                }
            }
        }
        if !batch.is_empty() {
            self.store.write_with(batch, Durability::Buffered)?;
        }
        Ok(())
    }

    /// The one write that makes it the state, and with it, in the one log, all writes before.
    fn switch(&self, number: u64, record: &SnapshotRecord<C>) -> Result<()> {
        let (mut batch, keys) = (WriteBatch::new(), &self.state.meta);
        put(&mut batch, keys, key::STATE, &number)?;
        match &record.meta.last_log_id {
            Some(applied) => put(&mut batch, keys, key::APPLIED, applied)?,
            None => drop(batch.delete_in(keys, key::APPLIED)),
        }
        put(&mut batch, keys, key::MEMBERSHIP, &record.meta.last_membership)?;
        put(&mut batch, keys, key::SNAPSHOT, record)?;
        Ok(self.store.write_with(batch, Durability::Synced)?)
    }

    /// Takes over a file that is not in this store's directory.
    fn copy(&self, from: &dyn File) -> Result<(Temporary, Arc<dyn File>)> {
        let (temporary, to) = self.snapshots.create()?;
        let (mut piece, mut at) = (vec![0; PIECE_BYTES], 0);
        loop {
            let read = from.read_at(&mut piece, at)?;
            if read == 0 {
                return Ok((temporary, to));
            }
            to.write_at(&piece[..read], at)?;
            at += read as u64;
        }
    }
}
