//! Every byte of all generations, read and compared with the lists.

use crate::backups::Backups;
use crate::error::{Error, Result};
use crate::media::{GENERATIONS, TABLES, file_name, list_name, read_checked, table_name};
use crate::progress::{Progress, Teller};
use crate::sum::Sum;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Generations there are.
    pub generations: u64,
    /// Files read, each once, however many generations share it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong.
    pub problems: Vec<CheckProblem>,
    /// Files that belong to no generation, left by an interrupted backup or removal. The next
    /// backup removes them.
    pub unused: u64,
}

impl CheckReport {
    /// Whether every generation can be restored.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

/// A file of a backup that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckProblem {
    /// What is wrong with which file, in one sentence.
    pub what: String,
    /// The generations that cannot be restored because of it.
    pub generations: Vec<u64>,
}

impl Backups {
    /// Reads every file of all generations and compares it with its list. What is wrong is listed
    /// and is no error.
    ///
    /// # Errors
    /// `Locked`; `Io` if a directory or a file cannot be read.
    pub fn check(&self) -> Result<CheckReport> {
        self.check_with(&mut |_| ControlFlow::Continue(()))
    }

    /// As [`Backups::check`]; `watch` is told how far it is, and may end it.
    ///
    /// # Errors
    /// As [`Backups::check`]; `Cancelled`.
    pub fn check_with(
        &self,
        watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CheckReport> {
        let _lock = self.lock()?;
        let mut report = CheckReport::default();
        let files = self.named_files(&mut report)?;
        let bytes = files.values().map(|(sum, _)| sum.bytes).sum();
        let mut teller = Teller::new(files.len() as u64, bytes, watch);
        for (name, (sum, generations)) in &files {
            let read = read_checked(&*self.target, name, sum, &mut |piece| {
                report.bytes += piece.len() as u64;
                teller.bytes(piece.len() as u64)
            });
            report.files += 1;
            report.tell(read, generations)?;
            teller.file()?;
        }
        report.unused = self.unused(&files)?;
        Ok(report)
    }

    /// Every file that a list names, with the generations that need it.
    fn named_files(&self, report: &mut CheckReport) -> Result<BTreeMap<String, (Sum, Vec<u64>)>> {
        let mut files: BTreeMap<String, (Sum, Vec<u64>)> = BTreeMap::new();
        for number in self.numbers()? {
            report.generations += 1;
            let list = match self.generation(number) {
                Ok(list) => list,
                Err(error) => {
                    report.tell(Err(error), &[number])?;
                    continue;
                }
            };
            let tables = list.tables.iter().map(|(key, sum)| (table_name(key), *sum));
            let others = list.files.iter().map(|(file, sum)| (file_name(number, file), *sum));
            for (name, sum) in tables.chain(others) {
                let (known, generations) =
                    files.entry(name.clone()).or_insert_with(|| (sum, Vec::new()));
                if *known == sum {
                    generations.push(number);
                    continue;
                }
                let (path, what) = (self.target.place(&list_name(number)), "the sum of a table");
                report.tell(Err(Error::corrupt(&path, 0, what, *known, sum)), &[number])?;
            }
        }
        Ok(files)
    }

    /// Counts the files that no list names.
    fn unused(&self, files: &BTreeMap<String, (Sum, Vec<u64>)>) -> Result<u64> {
        let is_list = |name: &String| name.ends_with(".gen");
        let mut names: Vec<String> = Vec::new();
        for name in self.target.list(TABLES)? {
            names.push(format!("{TABLES}/{name}"));
        }
        for name in self.target.list(GENERATIONS)?.iter().filter(|name| !is_list(name)) {
            let dir = format!("{GENERATIONS}/{name}");
            if name.ends_with(".tmp") {
                names.push(dir);
                continue;
            }
            let below = self.target.list(&dir)?;
            names.extend(below.iter().map(|name| format!("{dir}/{name}")));
        }
        Ok(names.iter().filter(|name| !files.contains_key(*name)).count() as u64)
    }
}

impl CheckReport {
    /// Notes damage; a refusal is an error of the check.
    fn tell(&mut self, read: Result<()>, generations: &[u64]) -> Result<()> {
        match read {
            Ok(()) => Ok(()),
            Err(error @ (Error::Corruption { .. } | Error::FormatTooNew { .. })) => {
                let (what, generations) = (error.to_string(), generations.to_vec());
                self.problems.push(CheckProblem { what, generations });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
