//! The leader: writes, and serves its changes to whoever connects.

use crate::Failing;
use crate::wire::{Message, NOTHING};
use nori_lsm::{Config, ErrorKind, Lsm, WriteBatch};
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// Opens the store, serves it, and writes `batches` batches. Runs until it is killed.
pub(crate) fn run(dir: &Path, address: &str, batches: u64) -> Failing {
    // ANCHOR: open
    // A follower may be away for as long as it takes to write so much.
    let config = Config::default().wal_retention_bytes(256 << 20).memtable_bytes(256 << 10);
    let store = Lsm::open_with(dir, config)?;
    // ANCHOR_END: open
    let listener = TcpListener::bind(address)?;
    println!("serving");
    let writer = store.clone();
    std::thread::spawn(move || {
        if let Err(error) = write(&writer, batches) {
            eprintln!("leader: {error}");
        }
    });
    for stream in listener.incoming() {
        let (store, stream) = (store.clone(), stream?);
        std::thread::spawn(move || {
            // A follower that goes away comes back by itself.
            let _gone = serve(&store, stream);
        });
    }
    Ok(())
}

/// Orders, and a count of them, which change together; a keyspace that comes and goes.
fn write(store: &Lsm, batches: u64) -> nori_lsm::Result<()> {
    let orders = store.keyspace("orders")?;
    let last = orders
        .last_key_value()?
        .map_or(0, |(key, _)| key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)));
    for n in last + 1..=last + batches {
        let mut batch = WriteBatch::new();
        batch.put_in(&orders, n.to_be_bytes(), format!("order {n} {}", "x".repeat(300)));
        batch.put("orders", n.to_string());
        if n % 3 == 0 {
            batch.delete_in(&orders, (n / 2).to_be_bytes());
        }
        store.write(batch)?;
        match n % 200 {
            50 => store.keyspace("scratch")?.put("n", n.to_string())?,
            150 if store.keyspaces().iter().any(|name| name == "scratch") => {
                store.drop_keyspace("scratch")?;
            }
            _ => {}
        }
    }
    store.put("end", "of orders")
}

// ANCHOR: serve
/// Sends a checkpoint, if the follower has nothing, and then every change.
fn serve(store: &Lsm, mut stream: TcpStream) -> Failing {
    let mut asked = [0; 8];
    stream.read_exact(&mut asked)?;
    let mut to = BufWriter::new(stream);
    let from = match u64::from_le_bytes(asked) {
        NOTHING => return seed(store, &mut to),
        from => from,
    };
    let mut changes = match store.changes(from) {
        Err(error) if error.kind() == ErrorKind::SeqNoTooOld => {
            Message::TooOld.send(&mut to)?;
            return Ok(to.flush()?);
        }
        changes => changes?,
    };
    loop {
        // What is there goes out together; then this waits.
        while let Some(change) = changes.try_next()? {
            let message = Message::of(&change).ok_or("a change of an unknown kind")?;
            message.send(&mut to)?;
        }
        to.flush()?;
        let Some(change) = changes.next().transpose()? else { return Ok(()) };
        Message::of(&change).ok_or("a change of an unknown kind")?.send(&mut to)?;
    }
}

/// Sends the files of a checkpoint.
fn seed(store: &Lsm, to: &mut impl Write) -> Failing {
    let copy = std::env::temp_dir().join(format!("nori-seed-{}", std::process::id()));
    // One of an earlier leader that was killed.
    let _ = std::fs::remove_dir_all(&copy);
    let info = store.checkpoint(&copy)?;
    for folder in ["", "sst", "wal"] {
        for entry in std::fs::read_dir(copy.join(folder))? {
            let path = entry?.path();
            if path.is_file() {
                let name = path.strip_prefix(&copy)?.to_string_lossy().into_owned();
                // A table is 64 MiB at most; larger files would go in pieces.
                Message::File(name, std::fs::read(&path)?).send(to)?;
            }
        }
    }
    Message::Seeded(info.sequence).send(to)?;
    std::fs::remove_dir_all(&copy)?;
    Ok(to.flush()?)
}
// ANCHOR_END: serve
