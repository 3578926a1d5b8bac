//! Asking the rules.

use super::rule::Kind;
use super::{TraceFs, first_word, name_matches, shown};
use crate::OpenMode;
use std::path::{Path, PathBuf};

impl TraceFs {
    /// Before bytes are written to a file that may be a log.
    pub(super) fn check_record(&self, path: &Path, bytes: &[u8]) {
        for rule in self.rules.iter() {
            let Kind::DurableBeforeRecord { log, data, names } = &rule.kind else { continue };
            if !name_matches(log, path) {
                continue;
            }
            let wanted = names.as_ref().map(|names| names(bytes));
            let is_meant = |path: &Path| {
                let is_named = |names: &Vec<String>| names.iter().any(|n| path.ends_with(n));
                wanted.as_ref().is_none_or(is_named)
            };
            let mut state = self.locked();
            let bad: Vec<String> = state
                .paths()
                .filter(|p| name_matches(data, p) && is_meant(p))
                .filter_map(|p| state.why_not_durable(p).map(|why| format!("{} {why}", shown(p))))
                .collect();
            for what in bad {
                state.violated(rule, format!("{} is written while {what}", shown(path)));
            }
        }
    }

    /// Before a name goes: by removal, by renaming, or by another file taking it.
    pub(super) fn check_removal(&self, path: &Path, to: Option<&Path>) {
        for rule in self.rules.iter() {
            let pattern = match &rule.kind {
                Kind::RecordBeforeRemoval { data, .. } => data,
                Kind::NoRemovalWhileTurning { kept, .. } => kept,
                _ => continue,
            };
            let stays_data = to.is_some_and(|to| name_matches(pattern, to));
            if name_matches(pattern, path) && !stays_data {
                self.check_gone(rule, path);
            }
            if let Some(to) = to.filter(|to| stays_data && *to != path)
                && self.inner.exists(to).unwrap_or(false)
            {
                self.check_gone(rule, to);
            }
        }
    }

    fn check_gone(&self, rule: &super::OrderRule, path: &Path) {
        let pointer = match &rule.kind {
            Kind::RecordBeforeRemoval { pointer, .. } => pointer.as_deref(),
            Kind::NoRemovalWhileTurning { pointer, .. } => Some(pointer.as_str()),
            _ => None,
        };
        let pointer = pointer.map(|pointer| self.pointer_above(path, pointer));
        let mut state = self.locked();
        match &rule.kind {
            Kind::NoRemovalWhileTurning { .. } => {
                // The name that the pointer itself takes, or leaves, is not a removal.
                let Some(Some(pointer)) = pointer.filter(|p| p.as_deref() != Some(path)) else {
                    return;
                };
                if state.pointers.get(&pointer).is_some_and(|p| !p.is_durable) {
                    let (path, pointer) = (shown(path), shown(&pointer));
                    state.violated(rule, format!("{path} goes while {pointer} is not durable"));
                }
            }
            Kind::RecordBeforeRemoval { log, .. } => {
                let newest = match pointer {
                    // No store yet.
                    Some(None) => return,
                    Some(Some(pointer)) => {
                        let ruling = state.pointers.get(&pointer).and_then(|p| {
                            if p.is_durable { p.target.clone() } else { p.durable_target.clone() }
                        });
                        let log = ruling.and_then(|log| state.file(&log).cloned());
                        log.map_or(0, |log| log.record_synced())
                    }
                    None => {
                        let logs = state.paths().filter(|p| name_matches(log, p));
                        let logs = logs.filter_map(|p| state.file(p));
                        logs.map(|l| l.record_synced()).max().unwrap_or(0)
                    }
                };
                if newest <= state.file(path).map_or(0, |f| f.last_write()) {
                    let what = format!("{} goes, and no synced record is newer", shown(path));
                    state.violated(rule, what);
                }
            }
            _ => {}
        }
    }

    /// Before a rename that may turn a pointer.
    pub(super) fn check_pointer(&self, from: &Path, to: &Path) {
        for rule in self.rules.iter() {
            let Kind::DurableBeforePointer { pointer, target } = &rule.kind else { continue };
            if !name_matches(pointer, to) {
                continue;
            }
            let found = self.target_in(from, to, target);
            let exists = found.as_ref().is_some_and(|t| self.inner.exists(t).unwrap_or(false));
            let mut state = self.locked();
            if state.file(from).is_some_and(|f| !f.is_durable()) {
                let (from, to) = (shown(from), shown(to));
                state.violated(rule, format!("{from} becomes {to} with unsynced bytes"));
            }
            let why = match &found {
                None => Some("nothing that is there".to_string()),
                Some(path) if !exists => Some(format!("{}, which is not there", shown(path))),
                Some(path) => {
                    let why = state.why_not_durable(path);
                    why.map(|why| format!("{}, which {why}", shown(path)))
                }
            };
            if let Some(why) = why {
                state.violated(rule, format!("{} is to name {why}", shown(to)));
            }
        }
    }

    /// If `to` is a pointer: what the bytes of `from` name.
    pub(super) fn pointer_target(&self, from: &Path, to: &Path) -> Option<Option<PathBuf>> {
        let target = self.target_pattern(|pointer| name_matches(pointer, to))?;
        Some(self.target_in(from, to, &target))
    }

    /// The narrowest pattern that the rules have for what such a pointer names.
    fn target_pattern(&self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let pointers = self.rules.iter().filter_map(|rule| rule.pointer());
        let targets = pointers.filter(|(pointer, _)| is_it(pointer)).map(|(_, target)| target);
        targets.max_by_key(|target| target.len()).map(str::to_string)
    }

    fn target_in(&self, file: &Path, pointer: &Path, target: &str) -> Option<PathBuf> {
        let bytes = self.inner.open(file, OpenMode::Read).and_then(|f| f.read_all()).ok()?;
        first_word(&bytes, target, pointer.parent()?)
    }

    /// The pointer of that name in the file's directory or the nearest above it, noted if the
    /// trace did not know it yet.
    fn pointer_above(&self, path: &Path, name: &str) -> Option<PathBuf> {
        for dir in path.ancestors().skip(1) {
            let pointer = dir.join(name);
            if self.locked().pointers.contains_key(&pointer) {
                return Some(pointer);
            }
            if self.inner.exists(&pointer).unwrap_or(false) {
                let target = self.target_pattern(|p| p == name)?;
                let target = self.target_in(&pointer, &pointer, &target);
                self.locked().found(&pointer, target);
                return Some(pointer);
            }
        }
        None
    }
}
