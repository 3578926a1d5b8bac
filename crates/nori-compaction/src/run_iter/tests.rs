//! Clipped tables beside the list of what the clips leave.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{DIR, Walk, World, file, range, run, whole_run};
use nori_env::Rng;
use nori_testkit::{Entry, KeyGen, collect, entries, run_seeds};
use nori_types::KeyRange;

fn letters(keys: &str) -> Vec<Entry> {
    keys.bytes().zip(1..).map(|(key, seq)| Entry::put([key], seq, [key, key])).collect()
}

fn keys_of(all: &[Entry]) -> String {
    all.iter().flat_map(|e| e.key.iter().map(|b| char::from(*b))).collect()
}

#[test]
fn a_clip_narrower_on_both_sides_hides_the_rest_from_every_move() {
    let world = World::new(1);
    let meta = world.write(&letters("abcdefgh"), 1 << 20).remove(0);
    let mut iter = RunIter::new(run([(file(&meta), range(b"c", b"f"))]), world.tables.clone());
    assert!(!iter.is_valid());
    assert_eq!(keys_of(&collect(&mut iter).unwrap()), "cde");
    iter.seek_last().unwrap();
    assert_eq!(iter.key().user_key, b"e");
    iter.next().unwrap();
    assert!(!iter.is_valid());
    iter.seek(InternalKey::seek(b"a", SeqNo::MAX)).unwrap();
    assert_eq!(iter.key().user_key, b"c");
    iter.prev().unwrap();
    assert!(!iter.is_valid());
    iter.seek(InternalKey::seek(b"f", SeqNo::MAX)).unwrap();
    assert!(!iter.is_valid());
    iter.seek_for_prev(InternalKey::behind(b"h")).unwrap();
    assert_eq!(iter.key().user_key, b"e");
    iter.seek_for_prev(InternalKey::behind(b"b")).unwrap();
    assert!(!iter.is_valid());
}

#[test]
fn two_references_to_one_file_show_their_parts_only() {
    let world = World::new(1);
    let file = file(&world.write(&letters("abcdefgh"), 1 << 20)[0]);
    let clips = [range(b"b", b"c"), range(b"c", b"d"), range(b"dd", b"e"), range(b"g", b"z")];
    let run = run(clips.map(|clip| (file.clone(), clip)));
    let mut iter = RunIter::new(run, world.tables.clone());
    assert_eq!(keys_of(&collect(&mut iter).unwrap()), "bcgh");
}

#[test]
fn only_the_table_under_the_cursor_is_touched_and_a_missing_one_is_no_end() {
    let world = World::new(1);
    let mut metas = world.write(&letters("ab"), 1 << 20);
    metas.extend(world.write(&letters("cd"), 1 << 20));
    assert!(world.fs.remove_file(format!("{DIR}/{}.sst", metas[1].number)));
    let mut iter = RunIter::new(whole_run(&metas), world.tables.clone());
    iter.seek_first().unwrap();
    iter.next().unwrap();
    assert_eq!(iter.key().user_key, b"b");
    assert!(iter.next().is_err());
    assert!(!iter.is_valid());
    assert!(iter.seek_last().is_err());
    iter.seek_first().unwrap();
    assert_eq!(iter.key().user_key, b"a");
}

/// A random run, and what its clips show of it.
fn random_run(world: &World, rng: &mut Rng, keys: &mut KeyGen) -> (Arc<Run>, Vec<Entry>) {
    let count = rng.below(80) as usize;
    let all = entries(rng, keys, 1, count);
    let metas = world.write(&all, 150 + rng.below(600));
    let mut parts: Vec<(Arc<nori_manifest::TableFile>, KeyRange)> = Vec::new();
    for meta in &metas {
        let file = file(meta);
        let mut borders: Vec<Vec<u8>> = (0..2 + rng.below(4)).map(|_| keys.near(rng)).collect();
        borders.retain(|key| meta.smallest <= key[..] && key[..] <= meta.largest);
        borders.extend([meta.smallest.to_vec(), meta.end().to_vec()]);
        borders.sort();
        borders.dedup();
        let clips = borders.windows(2).map(|pair| range(&pair[0], &pair[1]));
        parts.extend(clips.filter(|_| rng.chance(75)).map(|clip| (file.clone(), clip)));
    }
    let mut seen = all;
    seen.retain(|e| parts.iter().any(|(_, clip)| clip.contains(&e.key)));
    (run(parts), seen)
}

#[test]
fn random_programs_see_what_the_clips_leave() {
    let mut moves = 0;
    run_seeds("-p nori-compaction random_programs_see", 150, |seed| {
        let rng = &mut Rng::new(seed);
        let world = World::new(seed);
        let mut keys = KeyGen::new(rng, 30);
        let (run, seen) = random_run(&world, rng, &mut keys);
        let mut iter = RunIter::new(run, world.tables.clone());
        assert_eq!(collect(&mut iter).unwrap(), seen);
        let mut walk = Walk::new(iter, &seen);
        for _ in 0..200 {
            walk.random_move(rng, &mut keys).unwrap();
            moves += 1;
        }
    });
    println!("{moves} moves");
}

#[test]
fn on_a_damaged_disk_each_move_is_right_or_an_error() {
    let (mut failed, mut passed) = (0, 0);
    run_seeds("-p nori-compaction on_a_damaged_disk", 100, |seed| {
        let rng = &mut Rng::new(seed);
        let world = World::new(seed);
        let mut keys = KeyGen::new(rng, 30);
        let (run, seen) = random_run(&world, rng, &mut keys);
        for table in &run.tables {
            if rng.chance(40) {
                continue;
            }
            let path = format!("{DIR}/{}.sst", table.file.meta.number);
            let xor = 1 + rng.below(255) as u8;
            assert!(world.fs.corrupt(path, rng.below(table.file.meta.bytes), xor));
        }
        let mut walk = Walk::new(RunIter::new(run, world.tables.clone()), &seen);
        for _ in 0..100 {
            let outcome = walk.random_move(rng, &mut keys);
            *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
        }
    });
    println!("{failed} moves failed, {passed} passed");
    assert!(failed > 0 && passed > 0);
}
