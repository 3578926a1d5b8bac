//! nori-viz by itself: a store that is watched while it is filled, and a recording of that.

// An example is a program: its files are the real ones.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use nori_lsm::{Config, Durability, Lsm};
use nori_viz::{Feed, Limits, Options, Remote, Server, Watch};
use std::error::Error;
use std::fs::File;
use std::io::BufReader;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("nori-viz-alone-{}", std::process::id()));
    let config = Config::default().memtable_bytes(256 << 10).durability(Durability::Buffered);
    let store = Lsm::open_with(dir.join("store"), config)?;

    embedded(&store)?;

    // ANCHOR: record
    let file = dir.join("load.jsonl");
    let watch = Watch::start(&store, Options::default())?;
    watch.record(File::create(&file)?)?;
    // The page and the recording may share one watch.
    let server = Server::start(watch.feed(), "127.0.0.1:0".parse()?)?;
    // ANCHOR_END: record

    for n in 0..200_000u64 {
        store.put((n * 7919 % 200_000).to_be_bytes(), [n as u8; 64])?;
    }
    store.wait_idle()?;

    // ANCHOR: remote
    // As `nori top` does it, from any process of this machine.
    let remote = Remote::connect(server.address(), Limits::default())?;
    remote.poll()?;
    if let Some(frame) = remote.feed().last() {
        println!("{} slots, {} writes", frame.slots.len(), frame.totals.operations);
    }
    // ANCHOR_END: remote

    // ANCHOR: read
    watch.finish()?; // Takes a last look, and says whether the recording is whole.
    let (feed, damage) = Feed::of_recording(BufReader::new(File::open(&file)?), Limits::default())?;
    assert!(damage.is_none());
    for choice in feed.frames().iter().flat_map(|frame| &frame.choices).take(3) {
        println!("{}", choice.why);
    }
    // ANCHOR_END: read
    assert_eq!(feed.last().map(|frame| frame.totals.operations), Some(200_000));

    drop(server);
    store.close()?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

// ANCHOR: embed
/// What a program does that wants to be looked at.
fn embedded(store: &Lsm) -> Result<(), Box<dyn Error>> {
    // Port 0: any that is free. The server ends when it is dropped; keep it as long as the store.
    let server = nori_viz::serve(store, "127.0.0.1:0".parse()?)?;
    println!("see {}, or: nori top {}", server.url(), server.address());
    Ok(())
}
// ANCHOR_END: embed
