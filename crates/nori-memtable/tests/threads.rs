//! Many threads at one memtable, with more entries than the models have.

#![cfg(not(nori_loom))]
#![allow(clippy::unwrap_used)]

use crossbeam_skiplist::SkipMap;
use nori_env::Rng;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::{Arc, Mutex, thread};
use nori_memtable::{Memtable, Visible};
use nori_testkit::{VersionedMap, collect, env_usize, run_seeds};
use nori_types::{InternalIterator, InternalKey, Lookup, SeqNo, ValueKind};

fn at(seq: u64) -> SeqNo {
    SeqNo::new(seq)
}

fn key(number: u64) -> Vec<u8> {
    [&[0][..], &number.to_be_bytes()].concat()
}

/// Inserts a value that says its key and number.
fn put(guard: &nori_memtable::OwnedWriteGuard, key: &[u8], seq: u64) {
    let value = [key, &seq.to_be_bytes()].concat();
    assert!(guard.insert(key, &value, at(seq), ValueKind::Value));
}

#[test]
fn writers_at_once_lose_nothing_and_leave_exact_counts() {
    let steps = env_usize("NORI_STEPS", 3_000) as u64;
    run_seeds("-p nori-memtable --test threads writers_at_once", 6, |seed| {
        let table = Arc::new(Memtable::new());
        // One guard for the whole group, shared by its members.
        let group = Arc::new(table.enter_owned().unwrap());
        let member = |m: u64| {
            let group = Arc::clone(&group);
            thread::spawn(move || {
                let mut rng = Rng::new(seed * 10 + m);
                let mut written = VersionedMap::new();
                for step in 0..steps {
                    // Few keys, so that members meet at the same places of the list.
                    let (key, seq) = (key(rng.below(200)), step * 4 + m + 1);
                    put(&group, &key, seq);
                    let value = [&key[..], &seq.to_be_bytes()].concat();
                    written.write(&key, at(seq), Some(&value));
                }
                written
            })
        };
        let members: Vec<_> = (0..4).map(member).collect();
        let mut oracle = VersionedMap::new();
        for member in members {
            member.join().unwrap().entries().iter().for_each(|entry| oracle.apply(entry));
        }
        drop(group);
        table.seal();
        table.wait_quiescent();
        assert_eq!(collect(&mut table.iter()).unwrap(), oracle.entries());
        assert_eq!(table.len() as u64, steps * 4);
        assert_eq!(table.last_seq(), oracle.last_seq());
    });
}

/// Walks to and fro; between two neighbours of the walk there must lie no key that was there
/// before it began (the even numbers).
fn walk(table: &Arc<Memtable>, rng: &mut Rng, count: u64, running: &AtomicBool) -> u64 {
    let mut iter = table.iter();
    let mut turns = 0;
    let number = |iter: &nori_memtable::MemtableIter| {
        u64::from_be_bytes(iter.key().user_key[1..].try_into().unwrap())
    };
    while running.load(Ordering::Relaxed) || turns < 200 {
        let start = rng.below(count) & !1;
        iter.seek(InternalKey::seek(&key(start), SeqNo::MAX)).unwrap();
        assert_eq!(number(&iter), start);
        turns += 1;
        for _ in 0..rng.below(60) {
            let (here, forward) = (number(&iter), rng.chance(55));
            if forward {
                iter.next().unwrap()
            } else {
                iter.prev().unwrap()
            }
            if !iter.is_valid() {
                // Number 0 and the highest even one are there from the start.
                assert!(if forward { here >= count - 2 } else { here == 0 });
                break;
            }
            let there = number(&iter);
            let (low, high) = if forward { (here, there) } else { (there, here) };
            assert!(low < high, "{here} then {there}, forward: {forward}");
            // The even number behind `low`.
            assert!((low | 1) + 1 >= high, "{here} then {there} skips");
            let seq = iter.key().seq.get();
            assert_eq!(iter.value(), [&key(there)[..], &seq.to_be_bytes()].concat());
        }
    }
    turns
}

#[test]
fn walks_both_ways_skip_nothing_while_others_insert() {
    let count = env_usize("NORI_STEPS", 10_000) as u64 & !1;
    run_seeds("-p nori-memtable --test threads walks_both_ways", 3, |seed| {
        let table = Arc::new(Memtable::new());
        let guard = table.enter_owned().unwrap();
        for n in (0..count).step_by(2) {
            put(&guard, &key(n), n + 1);
        }
        let running = Arc::new(AtomicBool::new(true));
        let walkers: Vec<_> = (0..2)
            .map(|w| {
                let (table, running) = (Arc::clone(&table), Arc::clone(&running));
                let mut rng = Rng::new(seed * 10 + w);
                thread::spawn(move || walk(&table, &mut rng, count, &running))
            })
            .collect();
        let mut odd: Vec<u64> = (1..count).step_by(2).collect();
        Rng::new(seed).shuffle(&mut odd);
        for n in odd {
            put(&guard, &key(n), n + 1);
        }
        running.store(false, Ordering::Relaxed);
        let turns: u64 = walkers.into_iter().map(|w| w.join().unwrap()).sum();
        println!("seed {seed}: {turns} walks");
    });
}

#[test]
fn a_flush_holds_every_acknowledged_write() {
    let rounds = env_usize("NORI_STEPS", 200);
    let refused = Arc::new(AtomicU64::new(0));
    let mut flushed = 0;
    for round in 0..rounds {
        let table = Arc::new(Memtable::new());
        let next_seq = Arc::new(AtomicU64::new(1));
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let (table, next_seq) = (Arc::clone(&table), Arc::clone(&next_seq));
                let refused = Arc::clone(&refused);
                thread::spawn(move || {
                    let mut acknowledged = Vec::new();
                    while let Some(guard) = table.enter_owned() {
                        let seq = next_seq.fetch_add(1, Ordering::Relaxed);
                        put(&guard, &key(seq), seq);
                        drop(guard);
                        acknowledged.push(seq);
                    }
                    refused.fetch_add(1, Ordering::Relaxed);
                    acknowledged
                })
            })
            .collect();
        while table.len() < round % 50 {
            thread::yield_now();
        }
        table.seal();
        table.wait_quiescent();
        // All that a flush reads, read before the writers are joined.
        let held = collect(&mut table.iter()).unwrap();
        let (len, bytes) = (table.len(), table.bytes());
        let mut acknowledged = Vec::new();
        for writer in writers {
            acknowledged.extend(writer.join().unwrap());
        }
        acknowledged.sort_unstable();
        let held: Vec<u64> = held.iter().map(|entry| entry.seq.get()).collect();
        assert_eq!(held, acknowledged, "round {round}");
        assert_eq!((len, bytes), (held.len(), table.bytes()), "round {round}");
        flushed += len;
    }
    println!("{rounds} rounds, {flushed} writes, all there");
    assert!(flushed > 0 && refused.load(Ordering::Relaxed) == 3 * rounds as u64);
}

#[test]
fn a_reader_sees_all_up_to_its_number() {
    let groups = env_usize("NORI_STEPS", 4_000) as u64;
    let table = Arc::new(Memtable::with_capacity(1 << 20));
    let visible = Arc::new(Visible::new(SeqNo::ZERO));
    let sequence = Arc::new(Mutex::new(0));
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let (table, visible) = (Arc::clone(&table), Arc::clone(&visible));
            let sequence = Arc::clone(&sequence);
            thread::spawn(move || {
                for _ in 0..groups / 3 {
                    let guard = table.enter_owned().unwrap();
                    let mut next = sequence.lock();
                    let before = *next;
                    *next += 2;
                    drop(next);
                    put(&guard, &key(before + 1), before + 1);
                    put(&guard, &key(before + 2), before + 2);
                    while !visible.publish(at(before), at(before + 2)) {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let (mut last, end) = (0, groups / 3 * 3 * 2);
    let mut rng = Rng::new(1);
    while last < end {
        let now = visible.load().get();
        assert!(now >= last && now.is_multiple_of(2), "{last} then {now}");
        last = now;
        // The newest two, where a hole would be, and some others.
        let some = [now, now.saturating_sub(1), rng.below(now), rng.below(now)];
        for seq in some.into_iter().filter(|seq| *seq > 0) {
            assert!(matches!(table.get(&key(seq), at(now)), Lookup::Found(_, s) if s == at(seq)));
        }
    }
    writers.into_iter().for_each(|w| w.join().unwrap());
}

/// Beside crossbeam's skip list, under the same writers at once: the same entries in the same
/// order, while they come and when they are there.
#[test]
fn a_memtable_holds_what_a_skip_list_holds() {
    let steps = env_usize("NORI_STEPS", 3_000) as u64;
    run_seeds("-p nori-memtable --test threads a_memtable_holds", 6, |seed| {
        let table = Arc::new(Memtable::new());
        let twin: Arc<SkipMap<Vec<u8>, u64>> = Arc::new(SkipMap::new());
        let group = Arc::new(table.enter_owned().unwrap());
        let member = |m: u64| {
            let (group, table, twin) = (Arc::clone(&group), Arc::clone(&table), Arc::clone(&twin));
            thread::spawn(move || {
                let mut rng = Rng::new(seed * 10 + m);
                for step in 0..steps {
                    // Each number once, in no order: an odd factor is a bijection of 64 bits.
                    let number = (step * 4 + m).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let seq = step * 4 + m + 1;
                    put(&group, &key(number), seq);
                    twin.insert(key(number), seq);
                    // The twin has it later, so what it has the memtable has.
                    let from = key(rng.next_u64());
                    if let Some(entry) = twin.range(from..).next() {
                        let found = table.get(entry.key(), SeqNo::MAX);
                        assert!(matches!(found, Lookup::Found(_, s) if s.get() == *entry.value()));
                    }
                }
            })
        };
        let members: Vec<_> = (0..4).map(member).collect();
        members.into_iter().for_each(|member| member.join().unwrap());
        drop(group);
        let entries = collect(&mut table.iter()).unwrap();
        let mine = entries.iter().map(|entry| (&entry.key[..], entry.seq.get()));
        let theirs: Vec<_> = twin.iter().map(|e| (e.key().clone(), *e.value())).collect();
        assert!(mine.eq(theirs.iter().map(|(key, seq)| (&key[..], *seq))));
    });
}
