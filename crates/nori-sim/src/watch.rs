//! Who looks at the disk before each call that changes it: images for crashes, and for the one
//! crash that a program waits for.
//!
//! 1. A moment is taken before its call: nothing of the call is in the image.
//! 2. No lock is held while a call is under way.

use crate::history::History;
use crate::image::Moment;
use crate::op::Blow;
use nori_env::MemFs;
use nori_env::sync::{Arc, Mutex, MutexGuard};

/// What is looked for and what was seen. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
pub(crate) struct Seen {
    /// Whether every moment is kept, or only the one that a crash waits for.
    pub(crate) keeps_all: bool,
    pub(crate) moments: Vec<Moment>,
    /// The call before which the next crash falls.
    pub(crate) armed: Option<(u64, Blow)>,
    /// The moment of a crash that was met.
    pub(crate) hit: Option<(Moment, Blow)>,
    /// Of the moments to come.
    pub(crate) failed_sync: bool,
}

impl Watch {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock()
    }

    /// Looks at a disk from now on, if there is anything to look for: each moment is an image.
    pub(crate) fn look_at(&self, disk: &MemFs, history: &Arc<Mutex<History>>) {
        let seen = self.lock();
        if !seen.keeps_all && seen.armed.is_none() {
            return;
        }
        drop(seen);
        let (watch, history) = (self.clone(), Arc::clone(history));
        disk.on_operation(Some(Arc::new(move |op, image: &MemFs| {
            let mut seen = watch.lock();
            let is_due = seen.armed.as_ref().is_some_and(|(at, _)| *at <= op);
            if !is_due && !seen.keeps_all {
                return;
            }
            let (mark, failed_sync) = (history.lock().mark, seen.failed_sync);
            let moment = || Moment { op, image: image.clone(), mark, failed_sync };
            if let Some((_, blow)) = seen.armed.take_if(|_| is_due) {
                seen.hit = Some((moment(), blow));
            }
            if seen.keeps_all {
                seen.moments.push(moment());
            }
        })));
    }

    /// The moment of now.
    pub(crate) fn now(&self, disk: &MemFs, history: &Mutex<History>) -> Moment {
        let (mark, failed_sync) = (history.lock().mark, self.lock().failed_sync);
        Moment { op: disk.operations(), image: disk.image(), mark, failed_sync }
    }
}
