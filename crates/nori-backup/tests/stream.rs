//! Stores as streams: out of one, into another.

#![cfg(not(any(nori_loom, nori_shuttle)))]
#![allow(clippy::unwrap_used)]

use nori_backup::{Error, StreamFormat, StreamTally, export, import};
use nori_env::{FileSystem, MemFs, Rng};
use nori_lsm::{Background, Config, Lsm};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

type Contents = BTreeMap<(String, Vec<u8>), Vec<u8>>;

fn open(name: &str, fs: &Arc<dyn FileSystem>) -> Lsm {
    let config = Config::default().file_system(Arc::clone(fs)).background(Background::Manual);
    Lsm::open_with(name, config.memtable_bytes(64 << 10)).unwrap()
}

fn filled(fs: &Arc<dyn FileSystem>) -> Lsm {
    let (store, mut rng) = (open("/db", fs), Rng::new(1));
    for name in ["default", "other", "empty"] {
        let space = store.keyspace(name).unwrap();
        for n in 0..if name == "empty" { 0 } else { 3000 } {
            let mut value = vec![0; rng.index(900)];
            rng.fill(&mut value);
            space.put(format!("key {n:05}"), value).unwrap();
        }
    }
    store.put("large", vec![7; 3 << 20]).unwrap();
    store
}

fn contents(store: &Lsm) -> Contents {
    let mut all = Contents::new();
    for name in store.keyspaces() {
        for item in store.keyspace(&name).unwrap().iter() {
            let (key, value) = item.unwrap();
            all.insert((name.clone(), key.to_vec()), value.to_vec());
        }
    }
    all
}

fn go_on(_: &StreamTally) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn exported(store: &Lsm, only: Option<&[&str]>, format: StreamFormat) -> (Vec<u8>, StreamTally) {
    let mut out = Vec::new();
    let tally = export(store, only, format, &mut out, Path::new("out"), &mut go_on).unwrap();
    (out, tally)
}

fn imported(store: &Lsm, stream: &[u8]) -> nori_backup::Result<StreamTally> {
    import(store, &mut { stream }, Path::new("in"), &mut go_on)
}

#[test]
fn what_goes_out_comes_in() {
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(1));
    let store = filled(&fs);
    for (name, format) in [("/frames", StreamFormat::Frames), ("/lines", StreamFormat::Lines)] {
        let (stream, tally) = exported(&store, None, format);
        assert_eq!((tally.keyspaces, tally.entries), (3, 6001));
        let other = open(name, &fs);
        assert_eq!(imported(&other, &stream).unwrap(), tally);
        assert!(contents(&other) == contents(&store));
        assert_eq!(other.keyspaces(), store.keyspaces());
        // Again: nothing changes. Keys that the stream does not have stay.
        other.put("mine", "stays").unwrap();
        assert_eq!(imported(&other, &stream).unwrap(), tally);
        assert_eq!(contents(&other).len(), contents(&store).len() + 1);
    }
}

#[test]
fn one_keyspace_goes_alone() {
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(2));
    let store = filled(&fs);
    let (stream, tally) = exported(&store, Some(&["other", "other"]), StreamFormat::Frames);
    assert_eq!((tally.keyspaces, tally.entries), (1, 3000));
    let other = open("/other", &fs);
    imported(&other, &stream).unwrap();
    assert_eq!(other.keyspaces(), ["default", "other"]);
    assert_eq!(other.iter().count(), 0);
    let none = export(
        &store,
        Some(&["nowhere"]),
        StreamFormat::Frames,
        &mut Vec::new(),
        Path::new("out"),
        &mut go_on,
    );
    assert!(none.is_err_and(|error| error.to_string().contains("nowhere")));
}

/// Whoever watches knows how much is in the store when a stream ends in the middle; the whole one
/// is imported over it.
#[test]
fn a_cut_stream_tells_how_far_it_came() {
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(3));
    let store = filled(&fs);
    for (n, format) in [StreamFormat::Frames, StreamFormat::Lines].into_iter().enumerate() {
        let (stream, tally) = exported(&store, None, format);
        let other = open(&format!("/other-{n}"), &fs);
        let mut told = StreamTally::default();
        let half = &mut &stream[..stream.len() / 2];
        let error = import(&other, half, Path::new("in"), &mut |tally| {
            told = *tally;
            ControlFlow::Continue(())
        });
        assert!(matches!(error, Err(Error::Corruption { .. })), "{error:?}");
        assert!(told.entries > 0 && told.entries < tally.entries, "{told:?}");
        assert_eq!(contents(&other).len() as u64, told.entries);
        imported(&other, &stream).unwrap();
        assert!(contents(&other) == contents(&store));
        let ended =
            import(&other, &mut &stream[..], Path::new("in"), &mut |_| ControlFlow::Break(()));
        assert!(matches!(ended, Err(Error::Cancelled)));
    }
}

/// Writers go on while a stream is written: it is of one moment.
#[test]
fn a_stream_is_of_one_moment() {
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(4));
    let store = filled(&fs);
    let before = contents(&store);
    let (mut stream, mut calls) = (Vec::new(), 0);
    let format = StreamFormat::Frames;
    export(&store, None, format, &mut stream, Path::new("out"), &mut |_| {
        calls += 1;
        for n in 0..50 {
            store.put(format!("key {:05}", 2999 - calls * 50 - n), "changed").unwrap();
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(calls > 3);
    let other = open("/other", &fs);
    imported(&other, &stream).unwrap();
    assert!(contents(&other) == before);
}

#[test]
fn what_is_no_stream_is_refused() {
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(5));
    let store = open("/db", &fs);
    for stream in [&b""[..], b"\0\0\0", b"PK\x03\x04", b"nori-wal 32 bytes and a few more, so what"]
    {
        let error = imported(&store, stream).expect_err("no stream");
        assert!(error.is_corruption(), "{error}");
    }
    assert_eq!(store.iter().count(), 0);
}
