//! What a program holds on to: handles, snapshots, views, iterators, cursors, each with what it
//! must show, whatever happens to the store meanwhile.

use crate::op::{HANDLES, Key, NAMES, PLACES, Who};
use crate::oracle::{Sight, State};
use crate::reader::Reader;
use crate::scan::{Check, Scan, Walker, agrees, same};
use nori_env::sync::Arc;
use nori_lsm::{ErrorKind, Iter, Keyspace, KeyspaceView, Lsm, Snapshot};
use std::collections::BTreeSet;

/// A keyspace's handle and which keyspace it was made for.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) space: Keyspace,
    pub(crate) name: &'static str,
    pub(crate) id: u64,
}

/// A snapshot and what it must show.
pub(crate) struct Moment {
    pub(crate) snapshot: Snapshot,
    pub(crate) state: State,
    /// Tells moments apart.
    pub(crate) number: u64,
}

pub(crate) struct View {
    pub(crate) view: KeyspaceView,
    pub(crate) sight: Sight,
    pub(crate) moment: u64,
}

/// Everything held.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) handles: [Option<Handle>; HANDLES],
    pub(crate) moments: [Option<Moment>; PLACES],
    pub(crate) views: [Option<View>; PLACES],
    pub(crate) iters: [Option<Scan<Iter>>; PLACES],
    pub(crate) cursors: [Option<Walker>; PLACES],
}

impl Held {
    /// The reader that `who` means and what it must show; none where its place is empty.
    pub(crate) fn reader(
        &self,
        store: &Lsm,
        state: &State,
        who: Who,
    ) -> Result<Option<(Reader, Sight)>, String> {
        Ok(match who {
            Who::Handle(place) => Some(self.handle(store, state, place)),
            Who::Moment(place) => self.moments[place].as_ref().map(|moment| {
                let sight = moment.state.map("default").ok_or(ErrorKind::InvalidArgument);
                (Reader::Moment(moment.snapshot.clone()), sight)
            }),
            Who::Named(place, name) => match &self.moments[place] {
                Some(moment) => moment.view(NAMES[name])?,
                None => None,
            },
            Who::View(place) => {
                let view = self.views[place].as_ref();
                view.map(|view| (Reader::View(view.view.clone()), view.sight.clone()))
            }
        })
    }

    /// A handle; an empty place means the store itself.
    pub(crate) fn handle(&self, store: &Lsm, state: &State, place: usize) -> (Reader, Sight) {
        let (name, id) = self.name(state, place);
        let sight = state.space(name, id).map(|space| Arc::clone(&space.map));
        match &self.handles[place] {
            Some(handle) => (Reader::Space(handle.space.clone()), sight),
            None => (Reader::Store(store.clone()), sight),
        }
    }

    /// The keyspace that a handle was made for.
    pub(crate) fn name(&self, state: &State, place: usize) -> (&'static str, u64) {
        match &self.handles[place] {
            Some(handle) => (handle.name, handle.id),
            None => ("default", state.spaces["default"].id),
        }
    }

    /// How many different moments snapshots and views hold.
    pub(crate) fn moments(&self) -> usize {
        let numbers = self.moments.iter().flatten().map(|m| m.number);
        let numbers: BTreeSet<u64> =
            numbers.chain(self.views.iter().flatten().map(|v| v.moment)).collect();
        numbers.len()
    }

    /// After the store was closed: everything held fails with `Closed`, and is let go.
    pub(crate) fn closed(&mut self) -> Check {
        let key = Key(b"k".to_vec());
        for handle in self.handles.iter_mut().filter_map(Option::take) {
            agrees("get on a closed store", handle.space.get(&key.0), Err(ErrorKind::Closed))?;
            agrees("put on a closed store", handle.space.put("k", "v"), Err(ErrorKind::Closed))?;
        }
        for moment in self.moments.iter_mut().filter_map(Option::take) {
            agrees("a closed snapshot", moment.snapshot.get("k"), Err(ErrorKind::Closed))?;
            let view = moment.snapshot.keyspace("default").map(|_| ());
            agrees("a closed snapshot's keyspace", view, Err(ErrorKind::Closed))?;
        }
        for view in self.views.iter_mut().filter_map(Option::take) {
            agrees("a closed view", view.view.contains_key("k"), Err(ErrorKind::Closed))?;
        }
        self.iters.iter_mut().filter_map(Option::take).try_for_each(Scan::closed)?;
        self.cursors.iter_mut().filter_map(Option::take).try_for_each(Walker::closed)
    }
}

impl Moment {
    /// A keyspace as the snapshot sees it; none if there was none then.
    pub(crate) fn view(&self, name: &str) -> Result<Option<(Reader, Sight)>, String> {
        let view = self.snapshot.keyspace(name);
        match (view, self.state.map(name)) {
            (Ok(view), Some(map)) => Ok(Some((Reader::View(view), Ok(map)))),
            (Err(e), None) => {
                same("a keyspace that was not", e.kind(), ErrorKind::InvalidArgument)?;
                Ok(None)
            }
            (view, map) => {
                let existed = map.is_some();
                Err(format!("the snapshot's keyspace {name:?}: {view:?}, it existed: {existed}"))
            }
        }
    }
}
