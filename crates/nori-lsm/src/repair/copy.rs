//! Writes the newest version of every key that can be read into a new store.

use super::evidence::Evidence;
use super::newest::{Newest, Source, Standing};
use super::report::RepairReport;
use super::spaces::Spaces;
use super::tables::Tables;
use super::target::Tally;
use crate::WriteBatch;
use crate::config::{Background, Config, Durability};
use crate::error::{Error, Result};
use crate::lsm::Lsm;
use nori_env::sync::Arc;
use nori_manifest::{Slot, split_prefix};
use nori_types::KeyRange;
use std::time::Duration;

/// A batch is written when it has so many bytes.
const BATCH_BYTES: usize = 256 << 10;

/// A batch waits so long for room in the new store: a repair has time where a user has not.
const STALL_MAX: Duration = Duration::from_secs(3600);

/// Copies all there is; returns what it wrote.
pub(super) fn copy(
    store: &Lsm,
    config: &Config,
    evidence: &Evidence,
    report: &mut RepairReport,
) -> Result<Tally> {
    let spaces = Spaces::new(store, evidence, report)?;
    let tables = Tables::new(&*config.file_system, evidence);
    let (batch, written) = (WriteBatch::new(), Tally::default());
    let mut copy = Copy { store, config, report, tables, spaces, batch, written, doubtful: 0 };
    match &evidence.version {
        Some(version) => {
            for slot in version.slots() {
                copy.slot(&slot.range, Some(slot))?;
            }
        }
        None => copy.slot(&KeyRange::all(), None)?,
    }
    copy.write()?;
    let Copy { tables, written, doubtful, .. } = copy;
    if doubtful > 0 {
        report.warnings.push(format!(
            "of {doubtful} keys two versions were found of which nothing says which is newer: the \
             one with a sequence number was taken, not the one from a merge of all that is old"
        ));
    }
    tables.tell(report);
    report.keyspaces = store.keyspaces();
    (report.keys, report.bytes) = (written.keys, written.bytes);
    store.sync()?;
    Ok(written)
}

struct Copy<'a, 'e> {
    store: &'a Lsm,
    config: &'a Config,
    report: &'a mut RepairReport,
    tables: Tables<'e>,
    spaces: Spaces,
    batch: WriteBatch,
    written: Tally,
    doubtful: u64,
}

impl Copy<'_, '_> {
    /// The keys of a range, from the slot's runs and from what belongs to no slot.
    fn slot(&mut self, range: &KeyRange, slot: Option<&Arc<Slot>>) -> Result<()> {
        let evidence = self.tables.evidence();
        let log = evidence.log.iter();
        let mut sources: Vec<Source> = log.map(|mem| Source::of_log(mem, range)).collect();
        for number in &evidence.extra {
            sources.extend(self.tables.source(*number, range, Standing::Extra, self.report)?);
        }
        let runs = slot.iter().flat_map(|slot| slot.runs.iter().rev());
        for table in runs.flat_map(|run| run.tables.iter()) {
            let clip = table.range.intersection(range);
            let number = table.file.number();
            sources.extend(self.tables.source(number, &clip, Standing::Live, self.report)?);
        }
        let mut newest = Newest::new(sources)?;
        while let Some((key, value)) = newest.next(&mut self.tables, self.report)? {
            self.keep(&key, value.as_deref())?;
        }
        self.doubtful += newest.doubtful();
        Ok(())
    }

    fn keep(&mut self, stored: &[u8], value: Option<&[u8]>) -> Result<()> {
        let Some((id, key)) = split_prefix(stored) else {
            let key = stored.escape_ascii();
            self.report.warnings.push(format!("a key of no keyspace was left out: {key}"));
            return Ok(());
        };
        let Some(space) = self.spaces.get(self.store, id, self.report)? else { return Ok(()) };
        let Some(value) = value else {
            self.report.deleted += 1;
            return Ok(());
        };
        self.written.add(space.name(), key, value);
        self.batch.put_in(space, key, value);
        if self.batch.byte_len() >= BATCH_BYTES { self.write() } else { Ok(()) }
    }

    /// Waits for the new store's background work, as long as none of it fails.
    fn write(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let start = self.config.clock.now();
        loop {
            let written = self.store.write_with(batch.clone(), Durability::Buffered);
            let may_wait = matches!(written, Err(Error::Stalled { .. }))
                && self.config.background != Background::Manual
                && self.store.health().failing.is_empty()
                && self.config.clock.now().saturating_sub(start) < STALL_MAX;
            if !may_wait {
                return written;
            }
        }
    }
}
