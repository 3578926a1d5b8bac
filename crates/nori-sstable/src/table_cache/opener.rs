//! A thread that opens tables for all others.
//!
//! An allocator that keeps memory by thread holds the most that each thread ever had. Where tables
//! are closed to make room for others, and whoever reads opens them, each reader's part grows to
//! what all tables together may have. Opened by one thread, all indexes and filters lie in that
//! thread's part, and the next takes the place of the last.
//!
//! 1. Who asks waits for the answer; without a thread, or when it has ended, it opens the table
//!    itself.
//! 2. The thread ends when its `Opener` is dropped. Between two tables it holds nothing.

use crate::cache::BlockCache;
use crate::error::Result;
use crate::files::Source;
use crate::table::Table;
use nori_env::sync::Arc;
use nori_env::sync::channel::{Sender, bounded, unbounded};
use nori_env::sync::thread::Builder;
use nori_types::FileNumber;

/// What a table is opened from.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) source: Source,
    pub(super) number: FileNumber,
    pub(super) cache: Arc<BlockCache>,
    pub(super) maps: bool,
}

impl Order {
    pub(super) fn load(self) -> Result<Table> {
        Table::load(self.source, self.number, self.cache, self.maps)
    }
}

/// The thread's end of the line.
#[derive(Debug)]
pub(super) struct Opener {
    orders: Sender<(Order, Sender<Result<Table>>)>,
}

impl Opener {
    /// Starts the thread; `None` if the system has no room for one.
    pub(super) fn start() -> Option<Opener> {
        let (orders, taken) = unbounded::<(Order, Sender<Result<Table>>)>();
        let work = move || {
            while let Ok((order, answer)) = taken.recv() {
                let _ = answer.send(order.load());
            }
        };
        let started = Builder::new().name("nori-open".to_string()).spawn(work);
        started.ok().map(|_| Opener { orders })
    }

    /// Has a table opened; `None` if the thread has ended.
    pub(super) fn open(&self, order: Order) -> Option<Result<Table>> {
        let (answer, answered) = bounded(1);
        self.orders.send((order, answer)).ok()?;
        answered.recv().ok()
    }
}
