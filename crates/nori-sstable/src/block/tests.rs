//! Blocks against their entries, and damaged blocks of every kind.

#![allow(clippy::unwrap_used)]
use super::cursor::WINDOW_BYTES_MAX;
use super::*;
use nori_env::Rng;
use nori_testkit::{Entry, KeyGen, entries, run_seeds};

fn build(entries: &[Entry], interval: usize) -> Vec<u8> {
    let mut builder = BlockBuilder::new(interval);
    for entry in entries {
        builder.add(&entry.key, Mark::of(&entry.internal_key()), &entry.value);
    }
    let bytes = builder.bytes();
    let content = builder.finish().to_vec();
    assert_eq!(content.len(), bytes, "the builder knows its length");
    content
}

fn random_block(seed: u64) -> (Vec<Entry>, Vec<u8>, Rng) {
    let mut rng = Rng::new(seed);
    let mut keys = KeyGen::new(&mut rng, 12);
    let count = 1 + rng.index(60);
    let entries = entries(&mut rng, &mut keys, 1, count);
    let content = build(&entries, 1 + rng.index(16));
    (entries, content, rng)
}

#[test]
fn whatever_the_bytes_nothing_panics_or_runs_for_ever() {
    run_seeds("-p nori-sstable --lib whatever_the_bytes", 3000, |seed| {
        let (entries, mut content, mut rng) = random_block(seed);
        for _ in 0..1 + rng.index(3) {
            match rng.index(4) {
                0 => content.truncate(rng.index(content.len() + 1)),
                1 => rng.fill(&mut content),
                _ => {
                    if let Some(at) = content.len().checked_sub(1).map(|n| rng.index(n + 1)) {
                        content[at] =
                            *rng.pick(&[0, 1, 0x7f, 0x80, 0xff, rng.clone().below(256) as u8]);
                    }
                }
            }
        }
        let Ok(block) = Block::parse(content.into()) else { return };
        let bytes_max = block.bytes();
        for entry in &entries {
            let mark = Mark::of(&entry.internal_key());
            if let Ok(Some(hit)) = block.get(&entry.key, mark) {
                assert!(hit.value.end <= bytes_max);
            }
        }
        walk_damaged(&mut rng, Cursor::new(block), &entries, bytes_max);
    });
}

/// Any moves on a damaged block: each ends, and what it shows lies inside the block.
fn walk_damaged(rng: &mut Rng, mut cursor: Cursor, entries: &[Entry], bytes_max: usize) {
    for _ in 0..60 {
        let entry = rng.pick(entries);
        let target = (&entry.key[..], Mark::of(&entry.internal_key()));
        let _ = match rng.index(8) {
            0 => cursor.seek_first(),
            1 => cursor.seek_last(),
            2 => cursor.seek(target),
            3 => cursor.seek_for_prev(target),
            4 | 5 if cursor.is_valid() => cursor.next(),
            _ if cursor.is_valid() => cursor.prev(),
            _ => Ok(()),
        };
        if cursor.is_valid() {
            assert!(cursor.user_key().len() + cursor.value().len() <= bytes_max);
        }
    }
    let mut moves = 0;
    let mut ok = cursor.seek_first();
    while ok.is_ok() && cursor.is_valid() {
        moves += 1;
        assert!(moves <= bytes_max, "each entry takes at least four bytes");
        ok = cursor.next();
    }
    let mut ok = cursor.seek_last();
    while ok.is_ok() && cursor.is_valid() {
        moves += 1;
        assert!(moves <= 2 * bytes_max);
        ok = cursor.prev();
    }
}

#[test]
fn an_error_leaves_the_cursor_not_positioned_and_a_seek_tries_again() {
    let entries = [Entry::put("a", 3, "1"), Entry::put("b", 2, "2"), Entry::put("c", 1, "3")];
    let mut content = build(&entries, 16);
    // The kind of the second entry becomes one of a later format.
    let block = Block::parse(content.clone().into()).unwrap();
    let second = block.decode(block.restart(0)).unwrap().next();
    content[second.key + 3] = 2 << 3 | 5;
    let mut cursor = Cursor::new(Block::parse(content.into()).unwrap());
    let unknown = Err(Bad::Unknown { what: "value kind", found: 5, supported: 1 });
    cursor.seek_first().unwrap();
    assert_eq!(cursor.next(), unknown);
    assert!(!cursor.is_valid());
    cursor.seek_last().unwrap();
    assert_eq!(cursor.user_key(), b"c");
    assert_eq!(cursor.prev(), unknown);
    assert!(!cursor.is_valid());
    cursor.seek_first().unwrap();
    assert_eq!(cursor.user_key(), b"a");
}

#[test]
fn a_window_that_holds_not_all_keys_goes_back_to_the_first() {
    let long = |i: u32| [&[b'k'; 9000][..], &i.to_be_bytes()].concat();
    let entries: Vec<Entry> = (0..40).map(|i| Entry::put(long(i), 1, [i as u8])).collect();
    for interval in [1, 7, 8, 16, 40] {
        let block = Block::parse(build(&entries, interval).into()).unwrap();
        let mut cursor = Cursor::new(block);
        for from in [40, 39, 20, 8, 7, 0usize] {
            match entries.get(from) {
                Some(entry) => cursor.seek((&entry.key, Mark::of(&entry.internal_key()))).unwrap(),
                None => cursor.seek_last().unwrap(),
            }
            for entry in entries[..40.min(from + 1)].iter().rev() {
                assert_eq!((cursor.user_key(), cursor.value()), (&entry.key[..], &entry.value[..]));
                assert!(cursor.keys.capacity() <= 2 * (WINDOW_BYTES_MAX + 9004), "bounded");
                cursor.prev().unwrap();
            }
            assert!(!cursor.is_valid());
        }
        // Forward from the middle of a window, and back.
        cursor.seek_last().unwrap();
        cursor.prev().unwrap();
        cursor.next().unwrap();
        assert_eq!(cursor.user_key(), &long(39)[..]);
        cursor.prev().unwrap();
        assert_eq!(cursor.user_key(), &long(38)[..]);
    }
}

#[test]
fn a_tombstone_with_a_value_is_damage() {
    let mut builder = BlockBuilder::new(1);
    builder.add(b"a", Mark(8), b"value");
    let block = Block::parse(builder.finish().to_vec().into()).unwrap();
    let mut cursor = Cursor::new(block);
    assert_eq!(cursor.seek_first(), Err(Bad::Damaged("tombstone with a value")));
}

#[test]
fn values_are_shared_when_they_are_most_of_the_block() {
    let large = vec![7; 1000];
    let block = |value: &[u8]| {
        let all = [Entry::put("a", 2, [1; 100]), Entry::put("b", 1, value)];
        Block::parse(build(&all, 16).into()).unwrap()
    };
    let lies_inside =
        |block: &Block, value: &Bytes| block.content().as_ptr_range().contains(&value.as_ptr());
    for (value, is_shared) in [(&large[..], true), (b"tiny", false)] {
        let block = block(value);
        let hit = block.get(b"b", Mark(u64::MAX)).unwrap().unwrap();
        let bytes = share_or_copy(&block, hit.value);
        assert_eq!((&bytes[..], lies_inside(&block, &bytes)), (value, is_shared));
    }
}

#[test]
fn prefixes_are_counted_across_words() {
    for same in 0..40 {
        let a = vec![b'x'; 40];
        let mut b = a.clone();
        b[same] = b'y';
        assert_eq!(common_prefix(&a, &b), same);
        assert_eq!(common_prefix(&a[..same], &b), same);
    }
    assert_eq!(common_prefix(b"", b"a"), 0);
}

#[test]
fn varints_of_every_length_are_read_at_every_distance_from_the_end() {
    for value in (0..64).flat_map(|b| [(1u64 << b) - 1, 1 << b, (1 << b) | 1]).chain([u64::MAX]) {
        let mut bytes = Vec::new();
        nori_types::put_varint(&mut bytes, value);
        let len = bytes.len();
        for behind in 0..10 {
            bytes.resize(len + behind, 0xff);
            let mut at = 0;
            assert_eq!(varint(&bytes, &mut at), Ok(value));
            assert_eq!(at, len);
        }
        for cut in 0..len {
            assert!(varint(&bytes[..cut], &mut 0).is_err());
        }
    }
    assert!(varint(&[0xff; 20], &mut 0).is_err());
    assert!(varint(&[1], &mut 5).is_err());
}

/// A block whose entries `a`, `b` and `c` are restart points, with these instead of its own.
fn with_restarts(restarts: &[(u32, u32)]) -> Result<Block, Bad> {
    let mut builder = BlockBuilder::new(1);
    for key in ["a", "b", "c"] {
        builder.add(key.as_bytes(), Mark(9), b"value");
    }
    let mut content = builder.finish().to_vec();
    content.truncate(content.len() - 4 - 3 * RESTART_BYTES);
    for (key, value) in restarts {
        content.extend_from_slice(&key.to_le_bytes());
        content.extend_from_slice(&value.to_le_bytes());
    }
    content.extend_from_slice(&(restarts.len() as u32).to_le_bytes());
    Block::parse(content.into())
}

#[test]
fn restart_points_begin_at_the_first_entry_and_ascend() {
    // Keys take 5 bytes each and end at 15, values take 5 each and end at 30.
    let good = with_restarts(&[(0, 15), (5, 20), (10, 25)]).unwrap();
    assert_eq!((good.restart_count(), good.keys_end(), good.end().value), (3, 15, 30));
    assert_eq!(good.restart(2), Place { key: 10, value: 25 });
    // A value may be empty, at the end too: only keys must ascend.
    for restarts in [&[(0, 15), (5, 15), (10, 15)][..], &[(0, 15), (5, 30), (14, 30)]] {
        assert!(with_restarts(restarts).is_ok(), "{restarts:?}");
    }
    let bad: &[&[(u32, u32)]] = &[
        &[],
        &[(1, 15)],
        &[(0, 15), (0, 20)],
        &[(0, 15), (5, 20), (5, 25)],
        &[(0, 15), (10, 20), (5, 25)],
        &[(0, 15), (5, 25), (10, 20)],
        &[(0, 15), (5, 14)],
        &[(0, 15), (15, 20)],
        &[(0, 15), (5, 31)],
        &[(0, 31)],
    ];
    for restarts in bad {
        assert!(matches!(with_restarts(restarts), Err(Bad::Damaged(_))), "{restarts:?}");
    }
}

#[test]
fn a_search_begins_at_the_last_restart_point_before_its_target() {
    let mut builder = BlockBuilder::new(2);
    let keys: Vec<String> = (0..20).map(|n| format!("k{n:02}")).collect();
    keys.iter().for_each(|key| builder.add(key.as_bytes(), Mark(9), b""));
    let block = Block::parse(builder.finish().to_vec().into()).unwrap();
    assert_eq!(block.restart_count(), 10);
    let before = |key: &str| {
        let place = block.restart_before((key.as_bytes(), Mark(9))).unwrap();
        (0..10).position(|i| block.restart(i) == place).unwrap()
    };
    // Of a target that is a restart point itself, the one before it: an older version of the key
    // may end the run before.
    let expected = [("a", 0), ("k00", 0), ("k01", 0), ("k02", 0), ("k03", 1), ("k12", 5), ("z", 9)];
    for (key, restart) in expected {
        assert_eq!(before(key), restart, "{key}");
    }
}

#[test]
fn a_block_without_room_for_its_count_is_refused() {
    assert!(matches!(
        Block::parse(Bytes::from(vec![0; 3])),
        Err(Bad::Damaged("restart points of a block"))
    ));
}
