//! Watching a store: a thread that looks at it now and then.
//!
//! 1. A watch does not keep the store open and is not waited for when it is closed. It ends by
//!    itself then.
//! 2. It costs the store what one look costs, twice a second by default, and events into a bounded
//!    queue; no write and no read waits for it.
//! 3. The thread ends when the watch is dropped.

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::frame::Frame;
use crate::history::Limits;
use crate::record::{Encoder, Header};
use crate::take::{DECISIONS, Taker};
use nori_env::sync::thread::{Builder, JoinHandle};
use nori_env::sync::{Arc, Condvar, Mutex};
use nori_env::{Clock, SystemClock};
use nori_lsm::{EventStream, Lsm, WeakLsm};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Events are stamped with the time at which they are fetched.
const EVENTS_EVERY: Duration = Duration::from_millis(50);

const INTERVAL_MIN: Duration = Duration::from_millis(50);
const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// How a store is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Time between two frames, 50 ms to an hour. Default 500 ms.
    pub interval: Duration,
    /// How much is remembered.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Options {
        Options { interval: Duration::from_millis(500), limits: Limits::default() }
    }
}

/// A store that is watched until this is dropped or the store is closed.
#[derive(Debug)]
pub struct Watch {
    feed: Feed,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: Mutex<bool>,
    stopped: Condvar,
    sink: Mutex<Option<Sink>>,
}

/// Where a recording goes.
struct Sink {
    out: Box<dyn Write + Send>,
    encoder: Encoder,
    /// The number of the next frame.
    next: u64,
    failed: Option<io::Error>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("next", &self.next).finish_non_exhaustive()
    }
}

/// What is looked at.
enum Source {
    Process { seen: WeakLsm, events: EventStream },
    Directory(PathBuf),
}

impl Watch {
    /// Watches an open store from within its process.
    ///
    /// # Errors
    /// `Thread`.
    pub fn start(store: &Lsm, options: Options) -> Result<Watch> {
        let (seen, events) = (store.downgrade(), store.events());
        let path = seen.path().to_path_buf();
        Watch::run(Source::Process { seen, events }, &path, "process", options)
    }

    /// Watches a store's directory: opens it read-only each time. There are no rates, no events and
    /// no merges under way then; what was learned of slots is as old as the file `HEAT`.
    ///
    /// # Errors
    /// `Store` if it cannot be opened, `Thread`.
    pub fn directory(path: impl AsRef<Path>, options: Options) -> Result<Watch> {
        let path = path.as_ref();
        let failed = |source| Error::Store { path: path.to_path_buf(), source: Box::new(source) };
        drop(Lsm::open_read_only(path).map_err(failed)?);
        Watch::run(Source::Directory(path.to_path_buf()), path, "directory", options)
    }

    fn run(source: Source, path: &Path, name: &str, options: Options) -> Result<Watch> {
        let clock = SystemClock::default();
        let interval = options.interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
        let store = path.display().to_string();
        let header = Header::new(store, name, clock.unix_ms(), interval.as_millis() as u64);
        let feed = Feed::new(header, options.limits);
        let shared = Arc::new(Shared::default());
        let mut eyes = Eyes { source, clock, taker: Taker::default(), feed: feed.clone() };
        // The first frame is there when this returns.
        eyes.look();
        let mine = Arc::clone(&shared);
        let thread = Builder::new().name("nori-viz-watch".into());
        let thread = thread.spawn(move || eyes.watch(&mine, interval)).map_err(Error::Thread)?;
        Ok(Watch { feed, shared, thread: Some(thread) })
    }

    /// The frames.
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Records all frames that are remembered, and each that comes. Takes the place of an earlier
    /// recording. Where writing fails later, the recording ends, and [`Watch::finish`] says so.
    ///
    /// # Errors
    /// `Write`.
    pub fn record(&self, out: impl Write + Send + 'static) -> Result<()> {
        let mut sink = Sink { out: Box::new(out), encoder: Encoder::new(), next: 0, failed: None };
        sink.out.write_all(self.feed.header().line().as_bytes()).map_err(Error::Write)?;
        sink.take(&self.feed);
        if let Some(error) = sink.failed.take() {
            return Err(Error::Write(error));
        }
        *self.shared.sink.lock() = Some(sink);
        Ok(())
    }

    /// Ends the watch: takes a last frame, and closes the recording.
    ///
    /// # Errors
    /// `Write` if the recording is not whole.
    pub fn finish(mut self) -> Result<()> {
        self.stop();
        let failed = self.shared.sink.lock().take().and_then(|sink| sink.failed);
        failed.map_or(Ok(()), |error| Err(Error::Write(error)))
    }

    fn stop(&mut self) {
        *self.shared.stop.lock() = true;
        self.shared.stopped.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told by its hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Sink {
    /// Writes the frames that are new.
    fn take(&mut self, feed: &Feed) {
        for frame in feed.frames() {
            if frame.n >= self.next && self.failed.is_none() {
                self.next = frame.n + 1;
                self.failed = self.write(&frame).err();
            }
        }
    }

    fn write(&mut self, frame: &Arc<Frame>) -> io::Result<()> {
        self.out.write_all(self.encoder.line(frame).as_bytes())?;
        self.out.flush()
    }
}

/// What the thread has.
struct Eyes {
    source: Source,
    clock: SystemClock,
    taker: Taker,
    feed: Feed,
}

impl Eyes {
    fn watch(&mut self, shared: &Shared, interval: Duration) {
        let (mut due, mut seen) = (self.clock.now() + interval, true);
        let mut stopping = false;
        while seen && !stopping {
            self.fetch_events();
            let left = due.saturating_sub(self.clock.now());
            if !left.is_zero() {
                let stop = shared.stop.lock();
                stopping = *stop;
                if !stopping {
                    let wait = left.min(EVENTS_EVERY);
                    stopping = *shared.stopped.wait_timeout(stop, wait).0;
                }
            }
            if stopping || due <= self.clock.now() {
                seen = self.look();
                due = self.clock.now() + interval;
                if let Some(sink) = &mut *shared.sink.lock() {
                    sink.take(&self.feed);
                }
            }
        }
        self.feed.end();
    }

    fn now_ms(&self) -> u64 {
        self.clock.now().as_millis() as u64
    }

    fn fetch_events(&mut self) {
        let t = self.now_ms();
        if let Source::Process { events, .. } = &mut self.source {
            while let Some(event) = events.try_next() {
                self.taker.event(t, event);
            }
        }
    }

    /// Takes a frame; false if the store is closed.
    fn look(&mut self) -> bool {
        self.fetch_events();
        let t = self.now_ms();
        let frame = match &self.source {
            Source::Process { seen, events } => {
                let Some(facts) = seen.facts(DECISIONS) else { return false };
                self.taker.frame(t, &facts, events.dropped(), true)
            }
            Source::Directory(path) => match Lsm::open_read_only(path) {
                Ok(store) => {
                    let Some(facts) = store.downgrade().facts(DECISIONS) else { return false };
                    self.taker.frame(t, &facts, 0, false)
                }
                // Files go away under who reads beside a process that merges; the next look tells.
                Err(error) => self.taker.blind(t, self.feed.last().as_deref(), &error),
            },
        };
        self.feed.push(frame);
        true
    }
}
