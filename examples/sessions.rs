//! Recipe: sessions that expire, without the engine knowing about time. A second keyspace, in
//! order of time, tells which are over.
//!
//! `cargo run -p nori-examples --bin sessions`

// A program of a user: its locks are the standard library's.
#![allow(clippy::disallowed_types)]

use nori_lsm::{Config, Durability, Keyspace, Lsm, Result, WriteBatch};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

// ANCHOR: sessions
/// `by_token`: token -> end, then data. `by_end`: end, then token -> nothing.
struct Sessions {
    store: Lsm,
    by_token: Keyspace,
    by_end: Keyspace,
    /// Changes are one at a time: what they read must still be so when they write.
    changes: Mutex<()>,
}

/// End and token: what ends first sorts first.
fn end_key(end: u64, token: &str) -> Vec<u8> {
    [&end.to_be_bytes()[..], token.as_bytes()].concat()
}

/// The end of a stored session, and its data.
fn parts(stored: &[u8]) -> (u64, &[u8]) {
    let (end, data) = stored.split_at(8);
    (u64::from_be_bytes(end.try_into().expect("eight bytes were split off")), data)
}

impl Sessions {
    fn open(store: Lsm) -> Result<Sessions> {
        let (by_token, by_end) = (store.keyspace("sessions")?, store.keyspace("sessions-by-end")?);
        Ok(Sessions { store, by_token, by_end, changes: Mutex::default() })
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session, or makes it last longer.
    fn set(&self, token: &str, data: &str, end: u64) -> Result<()> {
        let _alone = self.change();
        let mut batch = WriteBatch::new();
        if let Some(old) = self.by_token.get(token)? {
            batch.delete_in(&self.by_end, end_key(parts(&old).0, token));
        }
        let stored = [&end.to_be_bytes()[..], data.as_bytes()].concat();
        batch.put_in(&self.by_token, token, stored);
        batch.put_in(&self.by_end, end_key(end, token), "");
        self.store.write(batch)
    }

    /// The data of a session that is not over. This does not wait for `sweep`: what is over is
    /// not there.
    fn get(&self, token: &str, now: u64) -> Result<Option<Vec<u8>>> {
        let stored = self.by_token.get(token)?;
        let live = stored.filter(|stored| parts(stored).0 > now);
        Ok(live.map(|stored| parts(&stored).1.to_vec()))
    }

    /// Removes some of what is over; how many.
    fn sweep(&self, now: u64) -> Result<usize> {
        let _alone = self.change();
        let mut batch = WriteBatch::new();
        let mut removed = 0;
        for entry in self.by_end.range(..=end_key(now, "\u{10ffff}")).take(1000) {
            let (key, _) = entry?;
            batch.delete_in(&self.by_end, &key).delete_in(&self.by_token, &key[8..]);
            removed += 1;
        }
        self.store.write(batch)?;
        Ok(removed)
    }
}
// ANCHOR_END: sessions

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-sessions-{}", std::process::id()));
    // ANCHOR: open
    // A power cut may cost the last second of sessions; in exchange no request waits for a sync.
    let every_second = Durability::Interval(Duration::from_secs(1));
    let store = Lsm::open_with(&dir, Config::default().durability(every_second))?;
    let sessions = Sessions::open(store)?;
    // ANCHOR_END: open
    for i in 0..2500_u64 {
        sessions.set(&format!("token-{i}"), "cart: three olives", 1000 + i)?;
    }
    sessions.set("token-0", "cart: four olives", 9000)?; // Lasts longer now.
    let now = 2000;
    println!(
        "token-0: {:?}",
        sessions.get("token-0", now)?.map(|data| data.escape_ascii().to_string())
    );
    assert!(sessions.get("token-0", now)?.is_some());
    assert!(sessions.get("token-1", now)?.is_none(), "it is over, though not yet removed");

    // ANCHOR: sweep
    // In a service: a thread that does this every few seconds.
    let mut removed = 0;
    loop {
        let some = sessions.sweep(now)?;
        if some == 0 {
            break;
        }
        removed += some;
    }
    // ANCHOR_END: sweep
    println!("{removed} sessions removed, {} left", sessions.by_token.iter().count());
    assert_eq!(removed, 1000);
    assert_eq!(sessions.by_token.iter().count(), 1500);
    assert_eq!(sessions.by_end.iter().count(), 1500);

    let Sessions { store, by_token, by_end, .. } = sessions;
    drop((by_token, by_end));
    store.close()?;
    Lsm::destroy(&dir)
}
