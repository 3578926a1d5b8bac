//! What no caller and no disk should do: names and files that are not what they should be, files
//! of later versions, directories that go away, too few file handles, callbacks that panic, handles
//! that outlive their store, options at their ends.
//!
//! Expected of all of it: the right answer or a typed error, and a store that can still be closed.

#![cfg(not(any(nori_loom, nori_shuttle)))]
// The directories of these tests are not behind nori's door, and neither is the real clock.
#![allow(clippy::disallowed_methods)]

mod bomb;
mod future;
mod gone;
#[path = "../support/hook.rs"]
mod hook;
mod kept;
mod limits;
mod misplaced;
mod options;
mod panics;
mod paths;
mod scarce;
#[path = "../support/small.rs"]
mod small;
mod twice;

use nori_env::sync::channel::{RecvTimeoutError, bounded};
use nori_env::sync::thread;
use nori_lsm::ErrorKind;
use small::{ROOT, check, config, fill, key, on, tiny};
use std::time::Duration;

/// How long anything here may take, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// The kind of error of something whose value does not matter.
fn kind<T>(result: nori_lsm::Result<T>) -> Result<(), ErrorKind> {
    result.map(|_| ()).map_err(|e| e.kind())
}

/// Runs something on a thread of its own; hanging is failing.
fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = bounded(1);
    let worker = thread::spawn(move || {
        let result = work();
        let _ = done.send(result);
    });
    match finished.recv_timeout(PATIENCE) {
        Ok(result) => {
            worker.join().expect("it has ended");
            result
        }
        Err(RecvTimeoutError::Timeout) => panic!("{what}: hangs"),
        Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends well has sent its result"),
        },
    }
}
