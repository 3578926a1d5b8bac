//! Removing generations, and what belongs to none.
//!
//! ```text
//! generations/N.gen removed, directory synced       <- the generation is gone
//! generations/N/ and the tables that no list names removed
//! ```
//!
//! 1. Nothing that the list of a generation names is removed while that list may be on the disk.
//! 2. Where a list cannot be read nobody knows which tables it needs, so no table is removed.
//! 3. An interrupted removal leaves files that belong to no generation; the next one takes them.

use crate::backups::Backups;
use crate::error::{Error, Result};
use crate::media::{GENERATIONS, TABLES, generation_dir, list_name, parse_generation, table_name};
use std::collections::BTreeSet;

impl Backups {
    /// Removes the oldest generations until `keep` are left, at least 1, and everything that
    /// belongs to none. Gives the numbers of those removed.
    ///
    /// # Errors
    /// `Locked`, `InvalidArgument` for 0; `Corruption` and `FormatTooNew` if a list among those
    /// that stay cannot be read: no table was removed then, and [`Backups::remove`] helps; `Io`.
    pub fn prune(&self, keep: u64) -> Result<Vec<u64>> {
        if keep == 0 {
            return Err(Error::invalid("keep at least 1 generation, or remove the directory"));
        }
        let _lock = self.lock()?;
        self.remove_old(Some(keep))
    }

    /// Removes one generation, whether its list can be read or not, and everything that belongs
    /// to none.
    ///
    /// # Errors
    /// As [`Backups::prune`]; `InvalidArgument` if there is no such generation.
    pub fn remove(&self, generation: u64) -> Result<()> {
        let _lock = self.lock()?;
        if !self.numbers()?.contains(&generation) {
            // Says which there are.
            self.generation(generation)?;
        }
        self.remove_lists(&[generation])?;
        self.sweep()
    }

    /// Removes all but the newest generations, and sweeps.
    pub(crate) fn remove_old(&self, keep: Option<u64>) -> Result<Vec<u64>> {
        let mut old = self.numbers()?;
        let keep = keep.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
        old.truncate(old.len().saturating_sub(keep));
        self.remove_lists(&old)?;
        self.sweep()?;
        Ok(old)
    }

    fn remove_lists(&self, numbers: &[u64]) -> Result<()> {
        for number in numbers {
            self.target.remove(&list_name(*number))?;
        }
        if numbers.is_empty() { Ok(()) } else { self.target.settle(GENERATIONS) }
    }

    /// Removes what no list names.
    fn sweep(&self) -> Result<()> {
        let lists: BTreeSet<u64> = self.numbers()?.into_iter().collect();
        for name in self.target.list(GENERATIONS)? {
            if let Some(number) = parse_generation(&name, "").filter(|n| !lists.contains(n)) {
                self.remove_generation_dir(number)?;
            } else if name.ends_with(".tmp") {
                self.target.remove(&format!("{GENERATIONS}/{name}"))?;
            }
        }
        let mut named = BTreeSet::new();
        for number in lists {
            named.extend(self.generation(number)?.tables.keys().map(table_name));
        }
        for name in self.target.list(TABLES)? {
            let name = format!("{TABLES}/{name}");
            if !named.contains(&name) {
                self.target.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Removes the directory of a generation that has no list.
    pub(crate) fn remove_generation_dir(&self, number: u64) -> Result<()> {
        let dir = generation_dir(number);
        for name in self.target.list(&dir)? {
            self.target.remove(&format!("{dir}/{name}"))?;
        }
        self.target.remove_dir(&dir)
    }
}
