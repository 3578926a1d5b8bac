//! Making a generation.
//!
//! ```text
//! checkpoint, staged in the store's directory
//! tables that no list names: copied, checked, renamed; directory synced
//! generations/N/: the other files, copied, checked; directories synced
//! generations/N.gen: written, synced, renamed, directory synced        <- the generation exists
//! staged checkpoint removed; older generations and what nobody names removed
//! ```
//!
//! 1. A table is taken for one that is there already only if a list that can be read names its
//!    id and number with the same length; its digest is then that of that list.
//! 2. Nothing that a list names is removed or written over before the new list is durable, but
//!    for a table that was read and found damaged, which is replaced by a good one.

use crate::backups::Backups;
use crate::error::{Error, Result};
use crate::generation::{Generation, GenerationInfo, TableKey};
use crate::media::{
    GENERATIONS, TABLES, file_name, generation_dir, list_name, read_checked, table_name,
};
use crate::progress::{Progress, Teller, Watch};
use crate::staging::Staging;
use crate::sum::Sum;
use nori_lsm::Lsm;
use nori_types::TableMeta;
use serde::Serialize;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// How a backup is made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupOptions {
    /// How many generations stay, the new one included, at least 1; older ones are removed.
    /// `None`: all. Default 7.
    pub keep: Option<u64>,
    /// Whether to read the tables again that are there already. One that is damaged is then copied
    /// anew, which mends the older generations that it belongs to. Default false.
    pub verify: bool,
}

impl Default for BackupOptions {
    fn default() -> BackupOptions {
        BackupOptions { keep: Some(7), verify: false }
    }
}

impl BackupOptions {
    /// Sets how many generations stay.
    #[must_use]
    pub fn keep(mut self, keep: Option<u64>) -> BackupOptions {
        self.keep = keep;
        self
    }

    /// Sets whether tables that are there already are read again.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> BackupOptions {
        self.verify = verify;
        self
    }
}

/// What a backup did.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// The generation it made.
    pub generation: GenerationInfo,
    /// Tables that were copied.
    pub tables_copied: u64,
    /// Bytes of these tables.
    pub table_bytes_copied: u64,
    /// Tables found damaged by `verify`, and copied anew. They are among the copied ones.
    pub tables_mended: u64,
    /// Older generations that were removed.
    pub removed: Vec<u64>,
    /// Why older generations, or files that belong to none, could not be removed, in one sentence.
    /// The generation made is whole all the same.
    pub not_removed: Option<String>,
}

impl Backups {
    /// Makes a generation of a store, which may be written to meanwhile. It holds what was
    /// acknowledged before the call, and of what is written during it a part that a crash at some
    /// moment would have left. Only tables that this place lacks are copied; each is checked.
    ///
    /// An interrupted backup leaves no generation; what it copied is used by the next one, or
    /// removed.
    ///
    /// # Errors
    /// `Locked`, `InvalidArgument` for `keep` of 0; `Corruption` if a table of the store is
    /// damaged; `DiskFull`, `Io`, `Store`. No generation was made then.
    pub fn backup(&self, store: &Lsm, options: &BackupOptions) -> Result<BackupReport> {
        self.backup_with(store, options, &mut |_| ControlFlow::Continue(()))
    }

    /// As [`Backups::backup`]; `watch` is told how far it is, and may end it.
    ///
    /// # Errors
    /// As [`Backups::backup`]; `Cancelled`.
    pub fn backup_with(
        &self,
        store: &Lsm,
        options: &BackupOptions,
        watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<BackupReport> {
        if options.keep == Some(0) {
            return Err(Error::invalid("a backup cannot keep 0 generations; keep at least 1"));
        }
        let _lock = self.lock()?;
        let (known, last) = self.known_tables()?;
        let mut report = BackupReport::default();
        let staging = Staging::make(&self.fs, store, self.id, watch)?;
        let mut making = Making { backups: self, options, known, report: &mut report };
        let list = making.generation(&staging, last + 1, watch)?;
        report.generation = list.info();
        drop(staging);
        match self.remove_old(options.keep) {
            Ok(removed) => report.removed = removed,
            Err(error) => report.not_removed = Some(error.to_string()),
        }
        Ok(report)
    }

    /// The tables that lists name, and the highest number of a generation.
    fn known_tables(&self) -> Result<(HashMap<TableKey, Sum>, u64)> {
        let (mut known, mut last) = (HashMap::new(), 0);
        for number in self.numbers()? {
            last = number;
            match self.generation(number) {
                Ok(list) => known.extend(list.tables),
                // A list that cannot be read keeps nobody from making a new generation.
                Err(error) if error.is_corruption() => {}
                Err(error) => return Err(error),
            }
        }
        Ok((known, last))
    }
}

/// A generation in the making.
struct Making<'a> {
    backups: &'a Backups,
    options: &'a BackupOptions,
    known: HashMap<TableKey, Sum>,
    report: &'a mut BackupReport,
}

impl Making<'_> {
    fn generation(
        &mut self,
        staging: &Staging,
        number: u64,
        watch: Watch<'_>,
    ) -> Result<Generation> {
        let target = &*self.backups.target;
        let metas: Vec<TableMeta> =
            staging.version.tables().map(|table| table.meta.clone()).collect();
        let files = staging.files()?;
        let lengths = files.iter().map(|(_, file)| Ok(file.len()?)).sum::<Result<u64>>()?;
        let bytes = metas.iter().map(|meta| meta.bytes).sum::<u64>() + lengths;
        let mut teller = Teller::new((metas.len() + files.len()) as u64, bytes, watch);
        let mut list = Generation {
            number,
            created_unix_ms: self.backups.clock.unix_ms(),
            sequence: staging.sequence,
            ..Generation::default()
        };
        for meta in &metas {
            let key = TableKey { id: meta.id, number: meta.number };
            let sum = self.table(staging, &key, meta, &mut teller)?;
            list.tables.insert(key, sum);
        }
        target.settle(TABLES)?;
        let dir = generation_dir(number);
        // Nobody's: no list names it.
        self.backups.remove_generation_dir(number)?;
        target.make_dir(&dir)?;
        for (file, source) in files {
            let name = file_name(number, &file);
            let sum =
                target.put_file(&name, &source, &mut |piece| teller.bytes(piece.len() as u64))?;
            teller.file()?;
            list.files.insert(file, sum);
        }
        target.settle(&dir)?;
        target.publish(&list_name(number), list.encode().as_bytes())?;
        target.settle(GENERATIONS)?;
        Ok(list)
    }

    /// Sees to it that a table is there.
    fn table(
        &mut self,
        staging: &Staging,
        key: &TableKey,
        meta: &TableMeta,
        teller: &mut Teller<'_>,
    ) -> Result<Sum> {
        let target = &*self.backups.target;
        let name = table_name(key);
        let known = self.known.get(key).copied().filter(|sum| sum.bytes == meta.bytes);
        if let Some(sum) = known {
            let length = target.length(&name)?;
            let is_good = length == Some(sum.bytes)
                && (!self.options.verify || is_whole(target, &name, &sum)?);
            if is_good {
                teller.spare(meta.bytes)?;
                return Ok(sum);
            }
            self.report.tables_mended += 1;
        }
        let source = staging.table(meta.number)?;
        if known.is_none()
            && let Some(sum) = target.adopt_table(&name, &source, meta)?
        {
            teller.spare(meta.bytes)?;
            return Ok(sum);
        }
        let sum = target
            .put_table(&name, &source, meta, &mut |piece| teller.bytes(piece.len() as u64))?;
        teller.file()?;
        if let Some(known) = known.filter(|known| *known != sum) {
            let (path, what) = (target.place(&name), "a table that older generations have too");
            return Err(Error::corrupt(&path, 0, what, known, sum));
        }
        self.report.tables_copied += 1;
        self.report.table_bytes_copied += sum.bytes;
        Ok(sum)
    }
}

/// Whether a file is as its list says.
fn is_whole(target: &dyn crate::media::Target, name: &str, sum: &Sum) -> Result<bool> {
    match read_checked(target, name, sum, &mut |_| Ok(())) {
        Ok(()) => Ok(true),
        Err(error) if error.is_corruption() => Ok(false),
        Err(error) => Err(error),
    }
}
