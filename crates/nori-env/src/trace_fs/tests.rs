//! Stories of a store in the right order, and each wrong order that a rule must catch.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{Fault, FaultFs, FaultRule, MemFs};

/// A store's files in order. Each step is a word; a script is what one engine did.
struct Store {
    fs: TraceFs,
    faults: FaultFs,
}

fn rules() -> Vec<OrderRule> {
    vec![
        OrderRule::durable_before_record("MANIFEST-*", "*.sst"),
        OrderRule::record_before_removal("*.wal", "MANIFEST-*").through("CURRENT"),
        OrderRule::durable_before_pointer("CURRENT", "MANIFEST-*"),
        OrderRule::no_removal_while_turning("CURRENT", "*"),
    ]
}

fn store_with(rules: Vec<OrderRule>) -> Store {
    let mem = MemFs::new(1);
    mem.create_dir_all(Path::new("/s/wal")).unwrap();
    mem.create_dir_all(Path::new("/s/sst")).unwrap();
    let faults = FaultFs::new(Arc::new(mem));
    Store { fs: TraceFs::new(Arc::new(faults.clone()), rules), faults }
}

impl Store {
    /// Runs steps: `new F`, `write F TEXT`, `sync F`, `syncdir D`, `mv F G`, `rm F`, `cut F`.
    fn run(&self, script: &str) -> &Store {
        for step in script.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let words: Vec<&str> = step.split(' ').collect();
            let path = Path::new("/s").join(words[1]);
            let open = || self.fs.open(&path, OpenMode::Write).unwrap();
            match words[0] {
                "new" => drop(self.fs.open(&path, OpenMode::CreateNew).unwrap()),
                "write" => {
                    let file = open();
                    file.write_at(words[2].as_bytes(), file.len().unwrap()).unwrap();
                }
                "sync" => open().sync_data().unwrap(),
                "badsync" => {
                    self.faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync));
                    open().sync_data().unwrap_err();
                    self.faults.clear();
                }
                "syncdir" => self.fs.sync_dir(&path).unwrap(),
                "mv" => self.fs.rename(&path, &Path::new("/s").join(words[2])).unwrap(),
                "ln" => self.fs.hard_link(&path, &Path::new("/s").join(words[2])).unwrap(),
                "rm" => self.fs.remove(&path).unwrap(),
                "cut" => open().truncate(0).unwrap(),
                other => panic!("no step {other}"),
            }
        }
        self
    }
}

/// A store with one manifest, one segment, one record in it; everything durable.
const CREATED: &str = "new wal/1.wal, write wal/1.wal head, sync wal/1.wal, syncdir wal, \
    new MANIFEST-1, write MANIFEST-1 snapshot, sync MANIFEST-1, syncdir ., \
    new CURRENT.tmp, write CURRENT.tmp MANIFEST-1, sync CURRENT.tmp, mv CURRENT.tmp CURRENT, \
    syncdir ., write wal/1.wal batch, sync wal/1.wal";
const FLUSHED: &str = "new sst/2.sst, write sst/2.sst data, sync sst/2.sst, syncdir sst, \
    write MANIFEST-1 add-2.sst, sync MANIFEST-1";
const TURNED: &str = "new MANIFEST-3, write MANIFEST-3 snapshot, sync MANIFEST-3, syncdir ., \
    new CURRENT.tmp, write CURRENT.tmp x=MANIFEST-3;y, sync CURRENT.tmp, \
    mv CURRENT.tmp CURRENT, syncdir .";

/// What the rules say to the last script of a store that did the others without fault.
fn check(scripts: &[&str]) -> Vec<String> {
    let store = store_with(rules());
    let (last, before) = scripts.split_last().unwrap();
    for script in before {
        store.run(script);
    }
    assert_eq!(store.fs.violations(), [""; 0], "the story before");
    store.run(last);
    store.fs.violations()
}

#[test]
fn the_right_order_breaks_nothing() {
    for story in [
        vec![CREATED, FLUSHED, "rm wal/1.wal"],
        vec![CREATED, FLUSHED, "mv wal/1.wal wal/1.spare, syncdir wal, mv wal/1.spare wal/4.wal"],
        vec![CREATED, FLUSHED, TURNED, "rm MANIFEST-1, rm wal/1.wal, rm sst/2.sst"],
        // A table given up is no table.
        vec![CREATED, "new sst/2.sst, write sst/2.sst half, rm sst/2.sst, write MANIFEST-1 x"],
        // Without CURRENT there is no store, and an unfinished creation may be swept.
        vec!["new wal/1.wal, write wal/1.wal head, rm wal/1.wal"],
        vec!["new MANIFEST-1, write MANIFEST-1 x, rm MANIFEST-1"],
        // A file cut to nothing after a failed sync is as good as new.
        vec![
            CREATED,
            "new sst/2.sst, write sst/2.sst a, badsync sst/2.sst, cut sst/2.sst",
            "write sst/2.sst b, sync sst/2.sst, syncdir sst, write MANIFEST-1 x",
        ],
    ] {
        assert_eq!(check(&story), [""; 0], "{story:?}");
    }
}

/// One wrong order each; the sentence names what is wrong.
#[test]
fn each_wrong_order_is_caught() {
    let table = "new sst/2.sst, write sst/2.sst data";
    for (story, wanted) in [
        // A record may name a table that a power cut takes away.
        (vec![CREATED, table, "syncdir sst, write MANIFEST-1 x"], "2.sst has unsynced bytes"),
        (vec![CREATED, table, "sync sst/2.sst, write MANIFEST-1 x"], "2.sst is in an unsynced"),
        (
            vec![CREATED, FLUSHED, "ln sst/2.sst sst/5.sst, write MANIFEST-1 x"],
            "5.sst is in an unsynced",
        ),
        (
            vec![
                CREATED,
                table,
                "sync sst/2.sst, syncdir sst, write sst/2.sst x, write MANIFEST-1 x",
            ],
            "2.sst has unsynced bytes",
        ),
        (
            vec![
                CREATED,
                table,
                "badsync sst/2.sst, sync sst/2.sst, syncdir sst, write MANIFEST-1 x",
            ],
            "2.sst has unsynced bytes",
        ),
        // A segment goes before the manifest knows of its data.
        (vec![CREATED, "rm wal/1.wal"], "1.wal goes"),
        (vec![CREATED, "mv wal/1.wal wal/1.spare"], "1.wal goes"),
        (vec![CREATED, "write MANIFEST-1 x, rm wal/1.wal"], "1.wal goes"),
        (
            vec![CREATED, FLUSHED, "write wal/1.wal more, sync wal/1.wal, rm wal/1.wal"],
            "1.wal goes",
        ),
        (
            vec![CREATED, FLUSHED, "new wal/t, write wal/t x, mv wal/t wal/4.wal, rm wal/4.wal"],
            "4.wal goes",
        ),
        (
            vec![
                CREATED,
                FLUSHED,
                "new wal/4.wal, write wal/4.wal x, new wal/t, mv wal/t wal/4.wal",
            ],
            "4.wal goes",
        ),
        (
            vec![CREATED, "write MANIFEST-1 x, badsync MANIFEST-1, sync MANIFEST-1, rm wal/1.wal"],
            "1.wal",
        ),
        // A record in a manifest that does not rule yet is none.
        (
            vec![CREATED, "new MANIFEST-3, write MANIFEST-3 x, sync MANIFEST-3, rm wal/1.wal"],
            "1.wal goes",
        ),
        // CURRENT names what a power cut takes away.
        (
            vec![
                CREATED,
                "new MANIFEST-3, write MANIFEST-3 x, syncdir ., new c, write c MANIFEST-3, \
                sync c, mv c CURRENT",
            ],
            "MANIFEST-3, which has unsynced bytes",
        ),
        (
            vec![
                CREATED,
                "new MANIFEST-3, write MANIFEST-3 x, sync MANIFEST-3, new c, \
                write c MANIFEST-3, sync c, mv c CURRENT",
            ],
            "MANIFEST-3, which is in an unsynced directory",
        ),
        (vec![CREATED, "new c, write c MANIFEST-1, mv c CURRENT"], "c becomes /s/CURRENT"),
        (vec![CREATED, "new c, write c MANIFEST-9, sync c, mv c CURRENT"], "not there"),
        (vec![CREATED, "new c, write c nothing, sync c, mv c CURRENT"], "nothing that is there"),
        // Which CURRENT rules is open, and something goes.
        (
            vec![
                CREATED,
                FLUSHED,
                TURNED,
                "new c, write c MANIFEST-1, sync c, mv c CURRENT, rm sst/2.sst",
            ],
            "2.sst goes while /s/CURRENT",
        ),
    ] {
        let found = check(&story);
        assert!(found.len() == 1, "{story:?}: {found:#?}");
        assert!(found[0].contains(wanted), "{wanted:?} in {found:#?}");
    }
}

#[test]
fn a_record_may_say_which_files_it_means() {
    let names = |bytes: &[u8]| vec![String::from_utf8_lossy(bytes).into_owned()];
    let rule = OrderRule::durable_before_record("MANIFEST-*", "*.sst").naming(names);
    let store = store_with(vec![rule]);
    store.run("new MANIFEST-1, new sst/2.sst, write sst/2.sst x, new sst/3.sst");
    store.run("sync sst/3.sst, syncdir sst, write MANIFEST-1 3.sst");
    assert_eq!(store.fs.violations(), [""; 0]);
    store.run("write MANIFEST-1 2.sst");
    assert_eq!(store.fs.violations().len(), 1);
}

#[test]
fn without_a_pointer_any_log_counts() {
    let rules = || vec![OrderRule::record_before_removal("*.wal", "LOG")];
    let story = "new LOG, new wal/1.wal, write wal/1.wal x, write LOG x";
    let store = store_with(rules());
    store.run(story).run("sync LOG, rm wal/1.wal");
    assert_eq!(store.fs.violations(), [""; 0]);
    let store = store_with(rules());
    store.run(story).run("rm wal/1.wal");
    assert_eq!(store.fs.violations().len(), 1);
}

#[test]
fn a_store_from_before_the_trace_is_known_by_its_pointer() {
    let first = store_with(rules());
    first.run(CREATED);
    // The same disk, traced anew, as a reopened store would be.
    let again = Store {
        fs: TraceFs::new(Arc::new(first.faults.clone()), rules()),
        faults: first.faults.clone(),
    };
    again.run(TURNED).run("rm wal/1.wal");
    assert_eq!(again.fs.violations(), [""; 0]);
    let hasty = Store {
        fs: TraceFs::new(Arc::new(first.faults.clone()), rules()),
        faults: first.faults.clone(),
    };
    hasty.run("new wal/2.wal, syncdir wal, rm wal/2.wal");
    assert_eq!(hasty.fs.violations().len(), 1);
}

#[test]
fn a_sync_that_began_before_a_write_ended_does_not_cover_it() {
    let mut file = state::FileState::default();
    file.write_begins(1);
    file.synced(2, file.done_began());
    file.write_ends(1, 3);
    assert!(!file.is_durable());
    assert_eq!(file.record_synced(), 0);
    file.synced(4, file.done_began());
    assert!(file.is_durable());
    assert_eq!(file.record_synced(), 1);
}

#[test]
fn events_tell_the_story_and_the_hash_tells_stories_apart() {
    let trace = |last: &str| {
        let store = store_with(Vec::new());
        store.run(CREATED).run(last);
        store.fs.clone()
    };
    let fs = trace("write wal/1.wal abc");
    let last: Vec<String> = fs.events().iter().rev().take(2).map(ToString::to_string).collect();
    assert!(last[0].ends_with("write /s/wal/1.wal at 9 +3"), "{last:?}");
    assert_eq!(fs.hash(), trace("write wal/1.wal abc").hash());
    assert_ne!(fs.hash(), trace("write wal/1.wal abd").hash());
    assert_ne!(fs.hash(), trace("").hash());
}
