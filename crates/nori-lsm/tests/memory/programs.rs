//! Random programs against a map, with the sums looked at after each step.

use crate::{MIB, ROOT, check_at_rest, config, key, memory, on};
use nori_env::{MemFs, Rng};
use nori_lsm::{Background, ErrorKind, Iter, Lsm, Snapshot};
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const KEYS: u64 = 20_000;

struct Program {
    rng: Rng,
    store: Lsm,
    model: Model,
    /// With what they must still show.
    iterators: Vec<(Iter, std::vec::IntoIter<(Vec<u8>, Vec<u8>)>)>,
    snapshots: Vec<(Snapshot, Model)>,
}

impl Program {
    fn value(&mut self) -> Vec<u8> {
        let len = match self.rng.below(50) {
            0 => 1000 + self.rng.below(20_000),
            _ => self.rng.below(300),
        };
        (0..len).map(|_| self.rng.below(256) as u8).collect()
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..50 => {
                let (key, value) = (key(self.rng.below(KEYS)), self.value());
                match self.store.put(&key, &value) {
                    Ok(()) => drop(self.model.insert(key, value)),
                    // Iterators hold memtables.
                    Err(e) => {
                        assert_eq!(e.kind(), ErrorKind::Stalled, "{e}");
                        self.iterators.clear();
                    }
                }
            }
            50..60 => {
                let key = key(self.rng.below(KEYS));
                if self.store.delete(&key).is_ok() {
                    self.model.remove(&key);
                }
            }
            60..85 => {
                let key = key(self.rng.below(KEYS));
                let found = self.store.get(&key).expect("reads");
                assert_eq!(found.as_deref(), self.model.get(&key).map(|v| &v[..]));
            }
            85..88 => {
                let from = key(self.rng.below(KEYS));
                let expected = self.model.range(from.clone()..).take(40);
                let expected: Vec<_> = expected.map(|(k, v)| (k.clone(), v.clone())).collect();
                self.iterators.push((self.store.range(from..), expected.into_iter()));
            }
            88..92 if !self.iterators.is_empty() => {
                let at = self.rng.index(self.iterators.len());
                let (iter, expected) = &mut self.iterators[at];
                for (key, value) in expected.take(5) {
                    let found = iter.next().expect("is there").expect("reads");
                    assert!(found.0 == key && found.1 == value);
                }
            }
            92..94 if !self.iterators.is_empty() => {
                let at = self.rng.index(self.iterators.len());
                self.iterators.swap_remove(at);
            }
            94 => self.snapshots.push((self.store.snapshot(), self.model.clone())),
            95 => {
                for (snapshot, model) in self.snapshots.drain(..) {
                    let key = key(self.rng.below(KEYS));
                    let found = snapshot.get(&key).expect("reads");
                    assert_eq!(found.as_deref(), model.get(&key).map(|v| &v[..]));
                }
            }
            _ => drop(self.store.step().expect("steps")),
        }
    }
}

/// What is counted stays within the budget while at most a few dozen iterators are open.
#[test]
fn a_program_under_a_tiny_budget_is_right_and_stays_within() {
    for seed in 0..4 {
        let disk = MemFs::new(seed);
        let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
        let (model, iterators, snapshots) = (Model::new(), Vec::new(), Vec::new());
        let mut program = Program { rng: Rng::new(seed), store, model, iterators, snapshots };
        let mut most = 0;
        for step in 0..30_000 {
            program.step();
            if step % 16 == 0 {
                let memory = memory(&program.store);
                most = most.max(memory.total_bytes);
                assert!(
                    memory.total_bytes <= memory.budget_bytes,
                    "seed {seed} step {step}: {memory:?}"
                );
            }
            if program.snapshots.len() > 5 {
                program.snapshots.clear();
            }
        }
        assert!(most > 3 * MIB / 2, "seed {seed}: the budget is used, {most}");
        let Program { store, model, iterators, snapshots, .. } = program;
        drop((iterators, snapshots));
        check_at_rest(&store);
        assert!(store.iter().map(|item| item.expect("reads")).eq(model.iter().map(|(k, v)| {
            (bytes::Bytes::copy_from_slice(k), bytes::Bytes::copy_from_slice(v))
        })));
        check_at_rest(&store);
        store.close().expect("closes");
        // Read only, and with another budget.
        let again = config(on(&disk)).memory_budget(32 * MIB);
        let store = Lsm::open_read_only_with(ROOT, again).expect("opens");
        assert_eq!(store.iter().count(), model.len(), "seed {seed}");
        let memory = memory(&store);
        assert_eq!((memory.sealed_bytes, memory.jobs_bytes, memory.iterators_bytes), (0, 0, 0));
    }
}

/// The same with threads in the background: at the end nothing is charged that is not used.
#[test]
fn threads_give_back_what_they_charged() {
    let disk = MemFs::new(9);
    let config = config(on(&disk)).background(Background::Threads(2)).memory_budget(12 * MIB);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let mut rng = Rng::new(9);
    for n in 0..20_000u64 {
        store.put(key(rng.below(KEYS)), [n as u8; 200]).expect("writes");
        if n % 64 == 0 {
            let memory = memory(&store);
            assert!(memory.total_bytes <= memory.budget_bytes, "{memory:?}");
        }
    }
    store.flush().expect("flushes");
    store.wait_idle().expect("rests");
    let memory = memory(&store);
    assert_eq!((memory.jobs_bytes, memory.iterators_bytes), (0, 0), "{memory:?}");
    store.close().expect("closes");
}
