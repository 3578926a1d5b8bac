//! How fast a memtable is: nanoseconds per insert, lookup and step with 500,000 entries of 16 + 100
//! bytes behind one keyspace byte. `speed [ENTRIES]`. Beside it crossbeam's skip list, which has a
//! node for each entry.

use bytes::{BufMut, Bytes, BytesMut};
use crossbeam_skiplist::SkipMap;
use nori_env::sync::Arc;
use nori_env::{Clock, SystemClock};
use nori_memtable::Memtable;
use nori_types::{InternalIterator, Lookup, SeqNo, ValueKind};

const KEY_BYTES: usize = 17;
const VALUE_BYTES: usize = 100;
const GROUP: usize = 64;

fn main() {
    let given = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let count: usize = given.unwrap_or(500_000);
    println!("{count} entries of 16 + {VALUE_BYTES} bytes, ns each:");
    run("random keys", count, |i| u128::from(mix(i)) << 64 | u128::from(mix(i + 1)));
    run("random order, ASCII digits", count, |i| digits(mix(i) % 10_000_000_000));
    run("ascending order", count, |i| digits(1_000_000 + i));
}

/// A bijection that leaves no order (the finaliser of splitmix64).
fn mix(i: u64) -> u64 {
    let z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// "user" and twelve digits, as a number.
fn digits(n: u64) -> u128 {
    let text = format!("user{n:012}");
    u128::from_be_bytes(text.as_bytes().try_into().unwrap_or_default())
}

fn run(name: &str, count: usize, key: impl Fn(u64) -> u128) {
    let clock = SystemClock::default();
    let table = Arc::new(Memtable::with_capacity(count * 190));
    let keys: Vec<u128> = (0..count as u64).map(key).collect();
    let groups: Vec<Bytes> = keys.chunks(GROUP).map(buffer).collect();

    let each = |from: std::time::Duration| (clock.now() - from).as_nanos() as f64 / count as f64;
    let start = clock.now();
    let mut seq = SeqNo::ZERO;
    for buffer in &groups {
        let Some(guard) = table.enter() else { return };
        for at in (0..buffer.len()).step_by(KEY_BYTES + VALUE_BYTES) {
            seq = seq.plus(1);
            let (key, value) = buffer[at..at + KEY_BYTES + VALUE_BYTES].split_at(KEY_BYTES);
            guard.insert(key, value, seq, ValueKind::Value);
        }
    }
    let insert = each(start);

    let start = clock.now();
    let mut found = 0;
    for i in 0..count {
        // Another order than the one of the inserts.
        let key = keys[(mix(i as u64) % count as u64) as usize];
        let hit = table.get(&stored(key), SeqNo::MAX);
        found += usize::from(matches!(hit, Lookup::Found(..)));
    }
    let get = each(start);
    assert_eq!(found, count);

    let start = clock.now();
    let mut found = 0;
    for i in 0..count {
        // Close to a key that is there.
        let mut key = stored(keys[(mix(i as u64) % count as u64) as usize]);
        key[KEY_BYTES - 1] ^= 0x80;
        found += usize::from(table.get(&key, SeqNo::MAX) != Lookup::Absent);
    }
    let miss = each(start);
    assert!(found * 100 < count);

    let mut iter = table.iter();
    let start = clock.now();
    let _ = iter.seek_first();
    let forward = walk(&mut iter, true, &clock, start);
    let start = clock.now();
    let _ = iter.seek_last();
    let back = walk(&mut iter, false, &clock, start);
    drop(iter);

    let charged = table.bytes();
    let start = clock.now();
    drop(table);
    let free = each(start);
    plain(name, &groups, &keys, &clock);
    println!(
        "{name:28} insert {insert:5.0}  get {get:5.0}  miss {miss:5.0}  next {forward:4.0}  \
         prev {back:4.0}  free {free:4.0}   charged {charged} bytes"
    );
}

/// The same entries in a skip list of one node each, whose keys and values share the groups'
/// buffers, as entries of a memtable once did.
fn plain(name: &str, groups: &[Bytes], keys: &[u128], clock: &SystemClock) {
    let count = keys.len();
    let each = |from: std::time::Duration| (clock.now() - from).as_nanos() as f64 / count as f64;
    let map: SkipMap<Bytes, Bytes> = SkipMap::new();
    let start = clock.now();
    for buffer in groups {
        for at in (0..buffer.len()).step_by(KEY_BYTES + VALUE_BYTES) {
            let value = at + KEY_BYTES;
            map.insert(buffer.slice(at..value), buffer.slice(value..value + VALUE_BYTES));
        }
    }
    let insert = each(start);
    let start = clock.now();
    let mut found = 0;
    for i in 0..count {
        let key = stored(keys[(mix(i as u64) % count as u64) as usize]);
        found += usize::from(map.get(&key[..]).is_some());
    }
    let get = each(start);
    assert_eq!(found, count);
    let start = clock.now();
    let sum: usize = map.iter().map(|e| e.key().len() + usize::from(e.value()[0])).sum();
    std::hint::black_box(sum);
    let next = each(start);
    let start = clock.now();
    drop(map);
    let free = each(start);
    println!(
        "{name:28} insert {insert:5.0}  get {get:5.0}              next {next:4.0}             \
         free {free:4.0}   crossbeam-skiplist"
    );
}

fn walk(
    iter: &mut impl InternalIterator,
    forward: bool,
    clock: &SystemClock,
    start: std::time::Duration,
) -> f64 {
    let (mut steps, mut sum) = (0_u64, 0);
    while iter.is_valid() {
        sum += iter.key().user_key.len() + usize::from(iter.value()[0]);
        let _ = if forward { iter.next() } else { iter.prev() };
        steps += 1;
    }
    std::hint::black_box(sum);
    (clock.now() - start).as_nanos() as f64 / steps as f64
}

fn stored(key: u128) -> [u8; KEY_BYTES] {
    let mut stored = [0; KEY_BYTES];
    stored[1..].copy_from_slice(&key.to_be_bytes());
    stored
}

fn buffer(keys: &[u128]) -> Bytes {
    let mut buffer = BytesMut::with_capacity(keys.len() * (KEY_BYTES + VALUE_BYTES));
    for key in keys {
        buffer.put_slice(&stored(*key));
        buffer.put_bytes(b'v', VALUE_BYTES);
    }
    buffer.freeze()
}
