//! Recipe: a queue that forgets nothing. Jobs are taken in order by several workers, and a job of
//! a worker that died is given out again.
//!
//! `cargo run -p nori-examples --bin work_queue`

// A program of a user: its locks are the standard library's.
#![allow(clippy::disallowed_types)]

use nori_lsm::{Keyspace, Lsm, Result, WriteBatch};
use std::sync::{Mutex, PoisonError};

// ANCHOR: queue
/// Jobs wait in `waiting`, are `taken` while they are worked on, and are gone when done. Each move
/// is one batch, so after any crash a job is in exactly one place.
struct Queue {
    store: Lsm,
    waiting: Keyspace,
    taken: Keyspace,
    /// The next number. Pushes and takes are one at a time: what is read must still be so when
    /// the batch is written.
    next: Mutex<u64>,
}

impl Queue {
    fn open(store: Lsm) -> Result<Queue> {
        let (waiting, taken) = (store.keyspace("waiting")?, store.keyspace("taken")?);
        // What was taken when the last process ended was not done: back to the front.
        let mut batch = WriteBatch::new();
        for entry in taken.iter() {
            let (number, job) = entry?;
            batch.delete_in(&taken, &number).put_in(&waiting, &number, &job);
        }
        store.write(batch)?;
        let next = store.get("next")?.map_or(0, |number| number_of(&number));
        Ok(Queue { store, waiting, taken, next: Mutex::new(next) })
    }

    fn push(&self, job: &str) -> Result<()> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = WriteBatch::new();
        batch.put_in(&self.waiting, next.to_be_bytes(), job);
        batch.put("next", (*next + 1).to_be_bytes()); // No number is given twice.
        self.store.write(batch)?;
        *next += 1;
        Ok(())
    }

    /// The oldest job, which nobody else gets.
    fn take(&self) -> Result<Option<(u64, String)>> {
        let _one_at_a_time = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((number, job)) = self.waiting.first_key_value()? else { return Ok(None) };
        let mut batch = WriteBatch::new();
        batch.delete_in(&self.waiting, &number).put_in(&self.taken, &number, &job);
        self.store.write(batch)?;
        Ok(Some((number_of(&number), String::from_utf8_lossy(&job).into_owned())))
    }

    /// The job is done, and its result stands in the same batch.
    fn done(&self, number: u64, result: &str) -> Result<()> {
        let mut batch = WriteBatch::new();
        batch.delete_in(&self.taken, number.to_be_bytes());
        batch.put(format!("result:{number:06}"), result);
        self.store.write(batch)
    }
}

fn number_of(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("the queue writes numbers as eight bytes"))
}
// ANCHOR_END: queue

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-jobs-{}", std::process::id()));
    let queue = Queue::open(Lsm::open(&dir)?)?;
    for i in 0..100 {
        queue.push(&format!("count flock {i}"))?;
    }
    // A worker takes a job and dies with it.
    let lost = queue.take()?;
    println!("taken and not done: {lost:?}");
    let Queue { store, waiting, taken, .. } = queue;
    drop((waiting, taken));
    store.close()?;

    // The next process finds it again.
    let queue = Queue::open(Lsm::open(&dir)?)?;
    // ANCHOR: workers
    // Writes of several threads share a sync: a group is written and synced at once.
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    while let Some((number, job)) = queue.take()? {
                        queue.done(number, &format!("{job}: 21 sheep"))?;
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("workers do not panic"))
    })?;
    // ANCHOR_END: workers
    let results = queue.store.prefix("result:").count();
    let metrics = queue.store.metrics();
    println!("{results} results; {} batches in {} groups", metrics.batches, metrics.groups);
    assert_eq!(results, 100);
    assert!(queue.take()?.is_none() && queue.taken.first_key_value()?.is_none());

    let Queue { store, waiting, taken, .. } = queue;
    drop((waiting, taken));
    store.close()?;
    Lsm::destroy(&dir)
}
