//! nori-lsm by itself: a queue of jobs that forgets none. Jobs wait in one keyspace in the order
//! they came, results stand in another, and a job moves from one to the other in one batch.

use nori_lsm::{Keyspace, Lsm, Result, WriteBatch};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-queue-{}", std::process::id()));
    let store = Lsm::open(&dir)?;
    let (waiting, done) = (store.keyspace("waiting")?, store.keyspace("done")?);
    for (number, text) in ["press olives", "mend the net", "count the sheep"].iter().enumerate() {
        // Big-endian numbers sort as they count.
        waiting.put((number as u64).to_be_bytes(), text)?;
    }
    work_one(&store, &waiting, &done)?;

    // Close and come back, as after a restart: what was taken stays taken.
    drop((waiting, done));
    store.close()?;
    let store = Lsm::open(&dir)?;
    let (waiting, done) = (store.keyspace("waiting")?, store.keyspace("done")?);
    while work_one(&store, &waiting, &done)? {}
    assert_eq!((waiting.iter().count(), done.iter().count()), (0, 3));
    println!("{} jobs wait, {} are done", waiting.iter().count(), done.iter().count());
    drop((waiting, done));
    store.close()?;
    Lsm::destroy(&dir)
}

/// Does the oldest job; false if none waits.
fn work_one(store: &Lsm, waiting: &Keyspace, done: &Keyspace) -> Result<bool> {
    let Some((number, job)) = waiting.first_key_value()? else { return Ok(false) };
    println!("doing: {}", job.escape_ascii());
    let mut batch = WriteBatch::new();
    batch.delete_in(waiting, &number).put_in(done, &number, &job);
    store.write(batch)?; // Never twice, never lost.
    Ok(true)
}
