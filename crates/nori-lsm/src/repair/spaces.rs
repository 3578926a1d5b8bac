//! The keyspaces of the new store.

use super::evidence::Evidence;
use super::report::RepairReport;
use crate::error::{Error, Result};
use crate::keyspace::Keyspace;
use crate::lsm::Lsm;
use nori_manifest::DEFAULT_KEYSPACE;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// The keyspaces of the new store by their numbers in the damaged one.
pub(super) struct Spaces {
    by_id: BTreeMap<u32, Option<Keyspace>>,
}

impl Spaces {
    pub(super) fn new(
        store: &Lsm,
        evidence: &Evidence,
        report: &mut RepairReport,
    ) -> Result<Spaces> {
        let mut names: BTreeMap<u32, &str> = BTreeMap::from([(0, DEFAULT_KEYSPACE)]);
        let mut spaces = Spaces { by_id: BTreeMap::new() };
        for (id, known) in &evidence.keyspaces {
            if *id > 0 && known.dropped.is_some() {
                spaces.by_id.insert(*id, None);
            } else if *id > 0 {
                names.insert(*id, &known.name);
            }
        }
        // Of two with one name the drop of the older one was lost.
        let mut taken = BTreeSet::new();
        for (id, name) in names.into_iter().rev() {
            let is_new = taken.insert(name);
            let space = if is_new { store.keyspace(name) } else { Err(Error::Closed) };
            match space {
                Ok(space) => drop(spaces.by_id.insert(id, Some(space))),
                Err(Error::InvalidArgument { .. }) => {}
                Err(_) if !is_new => {}
                Err(error) => return Err(error),
            }
        }
        if evidence.version.is_none() && evidence.keyspaces.is_empty() {
            let what = "the names of keyspaces are lost: those other than \"default\" are called \
                        \"keyspace-\" and their number";
            report.warnings.push(what.to_string());
        }
        Ok(spaces)
    }

    /// The keyspace of a number; `None` for a dropped one.
    pub(super) fn get(
        &mut self,
        store: &Lsm,
        id: u32,
        report: &mut RepairReport,
    ) -> Result<Option<&Keyspace>> {
        if let Entry::Vacant(place) = self.by_id.entry(id) {
            let taken = store.keyspaces();
            let mut name = format!("keyspace-{id}");
            while taken.contains(&name) {
                name.push('~');
            }
            report.warnings.push(format!("keyspace {id} has lost its name and is called {name:?}"));
            place.insert(Some(store.keyspace(&name)?));
        }
        Ok(self.by_id.get(&id).and_then(Option::as_ref))
    }
}
