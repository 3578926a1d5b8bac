//! checkpoint, backup, restore: whole stores through the command.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::json;
use std::fs;
use support::Dir;

fn filled() -> Dir {
    let dir = Dir::new();
    for n in 0..20 {
        dir.ok(&format!("put s key-{n:02} value-{n}"));
    }
    dir
}

#[test]
fn a_checkpoint_is_a_store() {
    let dir = filled();
    let told = dir.ok("checkpoint s copy");
    assert!(told.contains("of log are a store in copy, as of write 20"), "{told}");
    assert_eq!(dir.ok("scan copy"), dir.ok("scan s"));
    assert!(dir.ok("verify copy").contains("every byte is as it was written"));
    dir.run("checkpoint s copy").fails(1, "not empty");
    dir.run("checkpoint nowhere other").fails(1, "does not exist");
}

#[test]
fn generations_are_made_listed_restored_and_removed() {
    let dir = filled();
    let first = dir.json("backup s target");
    assert_eq!(first["backup"]["generation"]["generation"], json!(1));
    let before = dir.ok("scan s");
    dir.ok("put s key-20 new");
    let told = dir.ok("backup s target --keep 2");
    assert!(told.contains("generation 2: ") && told.contains("copied 1 table"), "{told}");
    let listed = dir.ok("backup --list target");
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains("UTC"), "{listed}");
    let checked = dir.ok("backup --check target");
    assert!(checked.contains("2 generations") && checked.contains("every byte"), "{checked}");

    dir.ok("restore target old --generation 1");
    assert_eq!(dir.ok("scan old"), before);
    let told = dir.ok("restore target new");
    assert!(told.contains("generation 2 of 20"), "{told}");
    assert_eq!(dir.ok("scan new"), dir.ok("scan s"));
    assert!(dir.ok("verify new").contains("every byte is as it was written"));

    dir.ok("put s key-21 newer");
    let third = dir.json("backup s target --keep 2 --verify");
    assert_eq!(third["backup"]["removed"], json!([1]));
    dir.run("restore target gone --generation 1").fails(1, "there are: 2, 3");
    assert_eq!(dir.ok("backup --prune target --keep 1"), "removed generation 2\n");
    dir.ok("backup --remove target --generation 3");
    dir.run("restore target gone").fails(1, "no generation yet");
    assert_eq!(dir.json("backup --list target")["numbers"], json!([]));
}

#[test]
fn damage_is_told_with_the_file_and_the_generations() {
    let dir = filled();
    dir.ok("backup s target");
    let table = fs::read_dir(dir.path("target/tables")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&table).unwrap();
    bytes[9] ^= 4;
    fs::write(&table, &bytes).unwrap();
    let name = table.file_name().unwrap().to_str().unwrap();
    let checked = dir.run("backup --check target");
    assert_eq!(checked.code, Some(1));
    assert!(checked.text().contains(name) && checked.text().contains("needed by 1"), "{checked:?}");
    dir.run("restore target new").fails(1, name);
    dir.run("scan new").fails(1, "an unfinished repair or restore");
    // The store still has it.
    let mended = dir.json("backup s target --verify");
    assert_eq!(mended["backup"]["tables_mended"], json!(1));
    dir.ok("backup --check target");
    dir.ok("restore target new --generation 1");
    assert_eq!(dir.ok("scan new"), dir.ok("scan s"));

    fs::write(dir.path("target/generations/000001.gen"), "torn").unwrap();
    let listed = dir.run("backup --list target");
    assert_eq!(listed.code, Some(1));
    assert!(listed.text().contains("000001.gen"), "{listed:?}");
    dir.ok("backup --remove target --generation 1");
    dir.ok("backup --check target");
}

#[test]
fn wrong_calls_are_refused() {
    let dir = filled();
    dir.run("backup s").fails(2, "TARGET");
    dir.run("backup --list").fails(2, "TARGET");
    dir.run("backup s target --list target").fails(2, "--list");
    dir.run("backup s target --keep 0").fails(2, "--keep");
    dir.run("backup --remove target").fails(2, "--generation");
    dir.run("backup nowhere target").fails(1, "does not exist");
    assert!(!dir.path("target").exists());
    dir.run("backup --list target").fails(1, "there are no backups");
    dir.write("full/letter.txt", "dear");
    dir.run("backup s full").fails(1, "letter.txt");
    dir.ok("backup s target");
    dir.run("restore target s").fails(1, "not empty");
}

/// A live process has the store: it is copied beside it, as it was when it was opened.
#[test]
fn a_store_that_another_process_has_open_is_copied() {
    let dir = filled();
    let open = nori_lsm::Lsm::open(dir.path("s")).unwrap();
    open.put("key-20", "not in a table").unwrap();
    for command in ["checkpoint s copy", "backup s target", "restore target new"] {
        dir.ok(command);
    }
    open.put("key-21", "later").unwrap();
    for copy in ["copy", "new"] {
        assert!(dir.ok(&format!("verify {copy}")).contains("every byte is as it was written"));
        let scan = dir.ok(&format!("scan {copy}"));
        assert!(scan.contains("not in a table") && !scan.contains("later"), "{scan}");
    }
    // What looks at slots works beside it, too.
    for command in ["slots s", "heat s", "why s", "stats s"] {
        dir.ok(command);
    }
    open.close().unwrap();
    assert!(dir.ok("verify s").contains("every byte is as it was written"));
}
