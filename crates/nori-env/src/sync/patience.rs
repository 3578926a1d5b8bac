//! What a test decides about waiting under shuttle, where no time passes.
//!
//! A wait with a limit may end as timed out at any moment there, which hides a thread that was not
//! woken: sooner or later it looks again by itself. A test that sets a patience makes long waits
//! end by a notification only, so that a lost wake-up is a deadlock, and a thread that has nothing
//! to do takes no steps.
//!
//! 1. All of it counts for the thread that runs the schedules, and so for all threads of a model.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static PATIENCE: Cell<Duration> = const { Cell::new(Duration::MAX) };
    static LOST: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Waits with a limit of at least this long end by a notification only; `None`, as at first: all
/// may end as timed out.
pub fn set_patience(limit: Option<Duration>) {
    PATIENCE.set(limit.unwrap_or(Duration::MAX));
}

/// A planted bug, for the tests that must catch it: of the notifications from now on the n-th,
/// counted from 0, wakes nobody.
pub fn lose_notification(nth: Option<u64>) {
    LOST.set(nth);
}

pub(super) fn is_patient(limit: Duration) -> bool {
    limit >= PATIENCE.get()
}

/// Whether this notification is the one to lose.
pub(super) fn loses_this_one() -> bool {
    let left = LOST.get();
    LOST.set(left.and_then(|left| left.checked_sub(1)));
    left == Some(0)
}
