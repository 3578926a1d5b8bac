//! Snapshots: the whole store at one moment, for as long as somebody holds it.

use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::events::VizEvent;
use crate::iter::Iter;
use crate::keyspace::{Keyspace, KeyspaceState};
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::Handle;
use crate::view::View;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_manifest::SnapshotGuard;
use nori_types::SeqNo;
use std::fmt;
use std::ops::RangeBounds;

/// A registered moment; its last drop lets merges forget it.
struct Moment {
    guard: SnapshotGuard,
    handle: Arc<Handle>,
}

impl Drop for Moment {
    fn drop(&mut self) {
        let sequence = self.guard.seq().get();
        self.handle.events.emit(|| VizEvent::SnapshotReleased { sequence });
    }
}

/// The store at one moment: all writes before it, none after. Taking one is cheap and copies
/// nothing; holding one keeps what is overwritten meanwhile. The read verbs act on "default".
#[derive(Clone)]
pub struct Snapshot {
    view: KeyspaceView,
}

/// A keyspace as a snapshot sees it.
#[derive(Clone)]
pub struct KeyspaceView {
    moment: Arc<Moment>,
    state: Arc<KeyspaceState>,
}

impl Snapshot {
    pub(crate) fn new(handle: &Arc<Handle>) -> Snapshot {
        let early = planted(Plant::SnapshotInTwoSteps).then(|| handle.visible.load());
        meanwhile(Point::Registering);
        let guard = handle.snapshots.register(|| early.unwrap_or_else(|| handle.visible.load()));
        let sequence = guard.seq().get();
        handle.events.emit(|| VizEvent::SnapshotCreated { sequence });
        let moment = Arc::new(Moment { guard, handle: Arc::clone(handle) });
        Snapshot { view: KeyspaceView { moment, state: Arc::clone(&handle.default) } }
    }

    /// The last sequence number that the snapshot sees.
    pub fn sequence(&self) -> u64 {
        self.view.seq().get()
    }

    /// A keyspace as it was at the snapshot's moment.
    ///
    /// # Errors
    /// `InvalidArgument` if there was none of that name.
    pub fn keyspace(&self, name: &str) -> Result<KeyspaceView> {
        let moment = &self.view.moment;
        moment.handle.check_open()?;
        let state = moment.handle.keyspace_at(name, self.view.seq())?;
        Ok(KeyspaceView { moment: Arc::clone(moment), state })
    }
}

impl KeyspaceView {
    /// A keyspace as it is now.
    pub(crate) fn of(keyspace: &Keyspace) -> KeyspaceView {
        let moment = Snapshot::new(keyspace.handle()).view.moment;
        KeyspaceView { moment, state: Arc::clone(keyspace.state()) }
    }

    fn seq(&self) -> SeqNo {
        self.moment.guard.seq()
    }

    fn view(&self) -> View<'_> {
        View::at(&self.moment.handle, &self.state, self.seq())
    }
}

macro_rules! read_verbs {
    ($type:ident, $self:ident => $view:expr) => {
        impl $type {
            /// The value of a key at the snapshot's moment.
            ///
            /// # Errors
            /// `Io` and `Corruption` if a table that may hold the key cannot be read; `Closed`.
            pub fn get(&$self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
                $view.get(key.as_ref())
            }

            /// Whether a key had a value.
            ///
            /// # Errors
            /// As `get`.
            pub fn contains_key(&$self, key: impl AsRef<[u8]>) -> Result<bool> {
                Ok($view.get(key.as_ref())?.is_some())
            }

            /// The values of several keys.
            ///
            /// # Errors
            /// As `get`.
            pub fn multi_get<K: AsRef<[u8]>>(&$self, keys: &[K]) -> Result<Vec<Option<Bytes>>> {
                $view.multi_get(keys)
            }

            /// All keys and values in order, from both ends.
            pub fn iter(&$self) -> Iter {
                $view.range::<&[u8], _>(..)
            }

            /// The keys of a range. An inverted or empty range has none.
            pub fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(&$self, range: R) -> Iter {
                $view.range(range)
            }

            /// The keys that start with `prefix`.
            pub fn prefix(&$self, prefix: impl AsRef<[u8]>) -> Iter {
                $view.prefix(prefix.as_ref())
            }

            /// A cursor that moves freely and lends keys and values.
            pub fn cursor(&$self) -> Cursor {
                $view.cursor()
            }

            /// The first key and its value.
            ///
            /// # Errors
            /// As `get`.
            pub fn first_key_value(&$self) -> Result<Option<(Bytes, Bytes)>> {
                $self.iter().next().transpose()
            }

            /// The last key and its value.
            ///
            /// # Errors
            /// As `get`.
            pub fn last_key_value(&$self) -> Result<Option<(Bytes, Bytes)>> {
                $self.iter().next_back().transpose()
            }
        }
    };
}

read_verbs!(Snapshot, self => self.view.view());
read_verbs!(KeyspaceView, self => self.view());

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("sequence", &self.sequence()).finish()
    }
}

impl fmt::Debug for KeyspaceView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, sequence) = (self.state.name(), self.seq().get());
        f.debug_struct("KeyspaceView").field("name", &name).field("sequence", &sequence).finish()
    }
}

impl Error {
    pub(crate) fn no_keyspace(name: &str) -> Error {
        Error::invalid(format!("there is no keyspace {name:?}"))
    }
}
