//! The follower: a store of its own, and in it how far it has followed.

use crate::Failing;
use crate::wire::{Message, NOTHING};
use nori_lsm::{Keyspace, Lsm, WriteBatch};
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// The keyspace that is the follower's own.
pub(crate) const OWN: &str = "replica";

/// Follows until the leader's last order is here; connects again whenever the leader goes away.
pub(crate) fn run(dir: &Path, address: &str) -> Failing {
    loop {
        match follow(dir, address) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // The leader is away.
            Err(error) if error.is::<std::io::Error>() => {}
            Err(error) => return Err(error),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Follows as long as the leader is there; whether that was all.
fn follow(dir: &Path, address: &str) -> Failing<bool> {
    if !dir.join("CURRENT").exists() {
        seed(dir, address)?;
        println!("seeded");
    }
    // ANCHOR: follow
    let store = Lsm::open(dir)?;
    let own = store.keyspace(OWN)?;
    // The position is written with each change, so it is never ahead of the data nor behind it.
    // The first one is that of the checkpoint.
    let position = match own.get("position")? {
        Some(position) => String::from_utf8(position.to_vec())?.parse()?,
        None => std::fs::read_to_string(dir.with_extension("seed"))?.parse()?,
    };
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&u64::to_le_bytes(position))?;
    let mut from = BufReader::new(stream);
    loop {
        match Message::receive(&mut from)? {
            Message::TooOld => break,
            message => apply(&store, &own, message)?,
        }
        if store.contains_key("end")? {
            println!(
                "caught up at {}",
                String::from_utf8_lossy(&own.get("position")?.unwrap_or_default())
            );
            store.close()?;
            return Ok(true);
        }
    }
    // ANCHOR_END: follow
    // The leader's log does not reach back so far: begin again.
    store.close()?;
    Lsm::destroy(dir)?;
    Ok(false)
}

// ANCHOR: apply
/// Applies a change, together with the position behind it. To apply one again does no harm.
fn apply(store: &Lsm, own: &Keyspace, message: Message) -> Failing {
    let mut batch = WriteBatch::new();
    let position = match message {
        Message::Batch(sequence, writes) => {
            for (name, key, value) in writes {
                let keyspace = store.keyspace(&name)?;
                match value {
                    Some(value) => batch.put_in(&keyspace, key, value),
                    None => batch.delete_in(&keyspace, key),
                };
            }
            sequence
        }
        Message::Created(sequence, name) => {
            store.keyspace(&name)?;
            sequence
        }
        Message::Dropped(sequence, name) => {
            if store.keyspaces().contains(&name) {
                store.drop_keyspace(&name)?;
            }
            sequence
        }
        other => return Err(format!("{other:?} among changes").into()),
    };
    batch.put_in(own, "position", position.to_string());
    Ok(store.write(batch)?)
}
// ANCHOR_END: apply

/// Takes a checkpoint's files. CURRENT comes last: without it there is no store.
fn seed(dir: &Path, address: &str) -> Failing {
    let _ = std::fs::remove_dir_all(dir);
    for folder in ["sst", "wal"] {
        std::fs::create_dir_all(dir.join(folder))?;
    }
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&NOTHING.to_le_bytes())?;
    let mut from = BufReader::new(stream);
    let mut current = None;
    let last = loop {
        match Message::receive(&mut from)? {
            Message::File(name, bytes) if name == "CURRENT" => current = Some(bytes),
            Message::File(name, bytes) => write_synced(&dir.join(name), &bytes)?,
            Message::Seeded(last) => break last,
            other => return Err(format!("{other:?} among files").into()),
        }
    };
    write_synced(&dir.with_extension("seed"), last.to_string().as_bytes())?;
    write_synced(&dir.join("CURRENT"), &current.ok_or("a checkpoint without CURRENT")?)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Failing {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}
