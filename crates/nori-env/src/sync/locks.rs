//! Locks without poison, and waiting under them.
//!
//! 1. A lock whose holder panicked is taken as it is.
//! 2. Under the checkers a wait with a limit gives up its lock once, and says timed out unless a
//!    notification came meanwhile: both ends occur, and no model hangs in it. Under shuttle a test
//!    may have long waits end by a notification only.
//! 3. Under `--cfg nori_tsan` waiting is looking again and again: what std does while it waits is
//!    compiled into std, where ThreadSanitizer does not see it.

use super::{RwLockReadGuard, RwLockWriteGuard, backend};
use std::sync::TryLockError;
#[cfg(not(any(nori_loom, nori_shuttle, nori_tsan)))]
use std::time::Duration;

#[cfg(any(nori_loom, nori_shuttle, nori_tsan))]
pub use model::MutexGuard;
#[cfg(not(any(nori_loom, nori_shuttle, nori_tsan)))]
pub use std::sync::MutexGuard;

/// A lock.
#[derive(Debug, Default)]
pub struct Mutex<T>(backend::Mutex<T>);

impl<T> Mutex<T> {
    /// A free lock around a value.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(backend::Mutex::new(value))
    }

    /// Waits for the lock.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        // Invariant 3.
        #[cfg(nori_tsan)]
        loop {
            match self.try_lock() {
                Some(guard) => return guard,
                None => std::thread::yield_now(),
            }
        }
        #[cfg(not(nori_tsan))]
        self.guard(self.0.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// The lock, if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(self.guard(guard)),
            Err(TryLockError::Poisoned(e)) => Some(self.guard(e.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[cfg(not(any(nori_loom, nori_shuttle, nori_tsan)))]
    #[inline]
    fn guard<'a>(&'a self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        guard
    }

    #[cfg(any(nori_loom, nori_shuttle, nori_tsan))]
    fn guard<'a>(&'a self, guard: backend::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard { lock: self, guard }
    }

    /// The value; nobody else can hold the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(|e| e.into_inner())
    }

    /// The value, without its lock.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(|e| e.into_inner())
    }
}

/// A lock that many may hold to read, or one to write.
#[derive(Debug, Default)]
pub struct RwLock<T>(backend::RwLock<T>);

impl<T> RwLock<T> {
    /// A free lock around a value.
    pub fn new(value: T) -> RwLock<T> {
        RwLock(backend::RwLock::new(value))
    }

    /// Waits until nobody writes.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        #[cfg(nori_tsan)]
        loop {
            match self.0.try_read() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(e)) => return e.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        #[cfg(not(nori_tsan))]
        self.0.read().unwrap_or_else(|e| e.into_inner())
    }

    /// Waits until nobody reads or writes.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        #[cfg(nori_tsan)]
        loop {
            match self.0.try_write() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(e)) => return e.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        #[cfg(not(nori_tsan))]
        self.0.write().unwrap_or_else(|e| e.into_inner())
    }

    /// The value; nobody else can hold the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(|e| e.into_inner())
    }

    /// The value, without its lock.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(|e| e.into_inner())
    }
}

/// A value that is made once, under a lock (invariant 3).
#[cfg(nori_tsan)]
#[derive(Debug)]
pub struct OnceLock<T>(std::sync::OnceLock<T>, Mutex<()>);

#[cfg(nori_tsan)]
impl<T> OnceLock<T> {
    /// No value yet.
    pub fn new() -> OnceLock<T> {
        OnceLock(std::sync::OnceLock::new(), Mutex::new(()))
    }

    /// The value, if there is one.
    pub fn get(&self) -> Option<&T> {
        let _held = self.1.lock();
        self.0.get()
    }

    /// The value, made now if there is none.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let _held = self.1.lock();
        self.0.get_or_init(make)
    }
}

/// Waiting for a condition under a [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar {
    condvar: backend::Condvar,
    /// Notifications so far. The checker's atomic: whether a notification comes before or behind
    /// the end of a wait is for it to try.
    #[cfg(any(nori_loom, nori_shuttle, nori_tsan))]
    notified: backend::atomic::AtomicU64,
    /// Waits that ran out since the last notification. std's: no scheduling point of its own.
    #[cfg(any(nori_loom, nori_shuttle, nori_tsan))]
    ran_out: std::sync::atomic::AtomicU64,
}

#[cfg(not(any(nori_loom, nori_shuttle, nori_tsan)))]
impl Condvar {
    /// Waits for a notification; wakes without one at times.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.condvar.wait(guard).unwrap_or_else(|e| e.into_inner())
    }

    /// As `wait`, at most for `limit`; true if it ran out.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let waited = self.condvar.wait_timeout(guard, limit);
        let (guard, result) = waited.unwrap_or_else(|e| e.into_inner());
        (guard, result.timed_out())
    }

    fn count(&self) -> bool {
        true
    }
}

impl Condvar {
    /// Nobody waits yet.
    pub fn new() -> Condvar {
        Condvar::default()
    }

    /// Wakes one.
    pub fn notify_one(&self) {
        if self.count() {
            self.condvar.notify_one();
        }
    }

    /// Wakes all.
    pub fn notify_all(&self) {
        if self.count() {
            self.condvar.notify_all();
        }
    }
}

/// What the checkers need: a guard that knows its lock, and limits without a clock.
#[cfg(any(nori_loom, nori_shuttle, nori_tsan))]
mod model {
    use super::{Condvar, Mutex, backend};
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    #[cfg(nori_tsan)]
    const LOOK_AGAIN: Duration = Duration::from_micros(50);

    /// A held lock.
    #[derive(Debug)]
    pub struct MutexGuard<'a, T> {
        pub(super) lock: &'a Mutex<T>,
        pub(super) guard: backend::MutexGuard<'a, T>,
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }

    impl Condvar {
        /// Waits for a notification; wakes without one at times.
        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            let MutexGuard { lock, guard } = guard;
            #[cfg(nori_tsan)]
            {
                drop(guard);
                std::thread::sleep(LOOK_AGAIN);
                lock.lock()
            }
            #[cfg(not(nori_tsan))]
            lock.guard(self.condvar.wait(guard).unwrap_or_else(|e| e.into_inner()))
        }

        /// As `wait`, at most for `limit`; true if it ran out.
        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            limit: Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            #[cfg(nori_shuttle)]
            if crate::sync::patience::is_patient(limit) {
                return (self.wait(guard), false);
            }
            #[cfg(nori_loom)]
            let _ = limit;
            let before = self.notified.load(Ordering::SeqCst);
            let lock = guard.lock;
            drop(guard);
            // loom lets all others run before one that yielded goes on, and no wait would ever
            // run out. Without yielding, one that waits again and again would never end. So the
            // first is free to run out and those behind it yield.
            #[cfg(not(nori_tsan))]
            if cfg!(nori_shuttle) || self.ran_out.load(Ordering::SeqCst) > 0 {
                crate::sync::thread::yield_now();
            }
            #[cfg(nori_tsan)]
            {
                let start = std::time::Instant::now();
                let is_quiet = || self.notified.load(Ordering::SeqCst) == before;
                while is_quiet() && start.elapsed() < limit {
                    std::thread::sleep(LOOK_AGAIN);
                }
            }
            let guard = lock.lock();
            let ran_out = self.notified.load(Ordering::SeqCst) == before;
            self.ran_out.fetch_add(u64::from(ran_out), Ordering::SeqCst);
            (guard, ran_out)
        }

        /// Counts a notification; false if a test wants it to be lost.
        pub(super) fn count(&self) -> bool {
            #[cfg(nori_shuttle)]
            if crate::sync::patience::loses_this_one() {
                return false;
            }
            self.notified.fetch_add(1, Ordering::SeqCst);
            self.ran_out.store(0, Ordering::SeqCst);
            true
        }
    }
}
