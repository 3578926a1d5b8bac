//! Readers beside a writer.

use crate::{ROOT, check, config, fill, key, on, open};
use nori_env::MemFs;
use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_env::sync::{Arc, thread};
use nori_lsm::{Background, ErrorKind, Lsm};

/// Opening to read must not take the writer's work for damage.
#[test]
fn a_read_only_open_beside_a_writer_finds_a_whole_store() {
    let disk = MemFs::new(1);
    let config_of = |background| config(on(&disk)).background(background);
    let store = Lsm::open_with(ROOT, config_of(Background::Threads(1))).expect("opens");
    fill(&store, 20, 0);
    let done = Arc::new(AtomicBool::new(false));
    let (stop, writing) = (Arc::clone(&done), store.clone());
    let writer = thread::spawn(move || {
        let mut generation = 0;
        while !stop.load(Ordering::Relaxed) {
            generation += 1;
            fill(&writing, 20, generation);
            thread::sleep(std::time::Duration::from_millis(2));
            if generation % 5 == 0 {
                writing.compact().expect("merges");
            }
        }
        generation
    });
    let mut opens = 0;
    for _ in 0..300 {
        let reader = Lsm::open_read_only_with(ROOT, config_of(Background::Manual));
        match reader {
            Ok(reader) => {
                // The writer may delete a table that the reader still needs; that is an error.
                let items: nori_lsm::Result<Vec<_>> = reader.iter().collect();
                match items {
                    Ok(items) => assert_eq!(items.len(), 20),
                    Err(e) => assert_eq!(e.kind(), ErrorKind::Io, "{e}"),
                }
                opens += 1;
            }
            Err(e) => panic!("after {opens} opens: {e}"),
        }
    }
    done.store(true, Ordering::Relaxed);
    let last = writer.join().expect("no panic");
    check(&store, 20, last);
}

/// An iterator shows its moment, whatever is merged and deleted meanwhile.
#[test]
fn an_iterator_outlives_the_tables_it_reads() {
    let disk = MemFs::new(2);
    let store = Lsm::open_with(ROOT, config(on(&disk)).max_open_files(1).block_cache_bytes(0));
    let store = store.expect("opens");
    for generation in 0..3 {
        fill(&store, 40, generation);
        store.flush().expect("flushes");
    }
    let mut iter = store.iter();
    let first = iter.next().expect("one").expect("reads");
    assert_eq!(first.1, &b"2-0"[..]);
    fill(&store, 40, 9);
    store.compact().expect("merges");
    store.wait_idle().expect("cleans");
    for n in 1..40 {
        let (k, value) = iter.next().expect("more").expect("reads");
        assert_eq!((&k[..], &value[..]), (&key(n)[..], format!("2-{n}").as_bytes()));
    }
    drop(iter);
    store.wait_idle().expect("cleans");
    assert_eq!(crate::files(&disk, ".sst") as u64, store.metrics().tables);
}

/// A snapshot, an iterator or a cursor keeps the store open, and none of them keeps it locked
/// once it is closed.
#[test]
fn the_last_owner_closes() {
    let disk = MemFs::new(3);
    let store = open(on(&disk));
    fill(&store, 10, 0);
    let (snapshot, mut iter, mut cursor) = (store.snapshot(), store.iter(), store.cursor());
    drop(store);
    let locked = Lsm::open_with(ROOT, config(on(&disk))).map_err(|e| e.kind());
    assert_eq!(locked.map(|_| ()), Err(ErrorKind::Locked));
    assert_eq!(snapshot.get(key(1)).expect("reads").as_deref(), Some(&b"0-1"[..]));
    assert!(cursor.seek(key(2)).expect("reads") && iter.next().is_some());
    drop((snapshot, iter));
    assert!(Lsm::open_with(ROOT, config(on(&disk))).is_err());
    drop(cursor);
    check(&open(on(&disk)), 10, 0);
}
