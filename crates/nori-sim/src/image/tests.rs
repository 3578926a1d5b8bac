//! The oracle sees: each kind of damage is done once by hand, and must be found.

use super::*;
use crate::history::Element;
use nori_env::OpenMode;

/// A store with one synced write, and its history.
fn written() -> (MemFs, History) {
    let (disk, mut history) = (MemFs::new(1), History::default());
    let store = open(&disk, ROOT, 1).unwrap();
    for (key, value) in [("a", "1"), ("b", "2")] {
        let entry = (Arc::from("default"), Bytes::from(key), Some(Bytes::from(value)));
        history.issue(&Element::Batch(vec![entry]), store.metrics().last_sequence);
        store.put(key, value).unwrap();
        store.flush().unwrap();
        history.acknowledge(true);
    }
    (disk.crash(Cut::SyncedOnly, 1), history)
}

fn verdict(disk: &MemFs, history: &History) -> Checked<usize> {
    let image = disk.image();
    let at = Moment { op: 0, image: image.clone(), mark: history.mark, failed_sync: false };
    check(&image, &at, Cut::SyncedOnly, history, 1, &mut Seen::default())
}

fn assert_says(disk: &MemFs, history: &History, word: &str) {
    let said = verdict(disk, history).unwrap_err();
    assert!(said.contains(word), "{said:?} does not say {word:?}");
}

#[test]
fn a_sound_image_passes() {
    let (disk, history) = written();
    assert_eq!(verdict(&disk, &history), Ok(2));
}

#[test]
fn a_write_that_is_missing_is_found() {
    let (disk, mut history) = written();
    let entry = (Arc::from("default"), Bytes::from("c"), Some(Bytes::from("3")));
    history.issue(&Element::Batch(vec![entry]), 2);
    // Not acknowledged: it may be there or not.
    assert_eq!(verdict(&disk, &history), Ok(2));
    history.acknowledge(false);
    assert_eq!(verdict(&disk, &history), Ok(2));
    history.durable();
    assert_says(&disk, &history, "2 elements of 3, 3 required");
}

#[test]
fn what_was_never_written_is_found() {
    let (disk, history) = written();
    let store = open(&disk, ROOT, 1).unwrap();
    store.put("a", "another").unwrap();
    drop(store);
    assert_says(&disk, &history, "no prefix gives");
}

#[test]
fn half_a_batch_is_found() {
    let (disk, mut history) = written();
    let store = open(&disk, ROOT, 1).unwrap();
    let entry = |key: &'static str| (Arc::from("default"), Bytes::from(key), None);
    history.issue(&Element::Batch(vec![entry("a"), entry("b")]), 2);
    store.delete("a").unwrap();
    drop(store);
    assert_says(&disk, &history, "no prefix gives");
}

#[test]
fn files_that_nobody_names_are_found() {
    let (disk, history) = written();
    // Its name is none that the sweep removes.
    disk.write_file("/store/sst/strange", b"left over");
    assert_says(&disk, &history, "orphans");
}

#[test]
fn a_table_that_is_missing_is_found() {
    let (disk, history) = written();
    let table = disk.files().into_iter().find(|(path, _)| path.starts_with("/store/sst"));
    assert!(disk.remove_file(table.unwrap().0));
    assert_says(&disk, &history, "opening /store");
}

#[test]
fn numbers_that_start_again_are_found() {
    let (disk, mut history) = written();
    let entry = (Arc::from("default"), Bytes::from("a"), Some(Bytes::from("1")));
    history.restart(0, 0);
    // As if the write of "a" had been given a number that the store does not know.
    history.issue(&Element::Batch(vec![entry]), 77);
    let entry = (Arc::from("default"), Bytes::from("b"), Some(Bytes::from("2")));
    history.issue(&Element::Batch(vec![entry]), 78);
    assert_says(&disk, &history, "the last sequence number is 2, but 79 is visible");
}

#[test]
fn a_checkpoint_that_shows_something_else_is_found() {
    let (disk, history) = written();
    let store = open(&disk, ROOT, 1).unwrap();
    store.checkpoint("/copy").unwrap();
    let check = |expected: &State| check_checkpoint(&disk, "/copy", expected, Cut::SyncedOnly, 1);
    assert_eq!(check(history.shown()), Ok(()));
    assert!(check(&State::default()).is_err());
    let names = disk.list(Path::new("/copy")).unwrap();
    let manifest = names.iter().find(|name| name.starts_with("MANIFEST")).unwrap();
    let file = disk.open(&Path::new("/copy").join(manifest), OpenMode::Write).unwrap();
    file.truncate(30).unwrap();
    file.sync_all().unwrap();
    assert!(check(history.shown()).is_err());
}
