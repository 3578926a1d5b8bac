//! Group commit under loom: the leader's hand-over loses nobody.
//!
//! Run with `cargo xtask loom`. The queue is compiled into the test from its own source file.
#![cfg(nori_loom)]
#![allow(missing_docs, unreachable_pub)]

#[allow(dead_code)]
#[path = "../src/store/commit_queue.rs"]
mod commit_queue;

use commit_queue::{CommitQueue, Request};
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicUsize, Ordering};
use nori_env::sync::cell::UnsafeCell;
use std::collections::BTreeSet;
use std::sync::Mutex as Observed;
use std::sync::atomic::AtomicU64 as Count;

#[derive(Debug)]
struct Write {
    id: u32,
    exclusive: bool,
    done: bool,
}

impl Request for Write {
    fn weight(&self) -> usize {
        1
    }

    fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    fn waits_for_disk(&self) -> bool {
        false
    }
}

/// What leaders write to without a lock of their own: loom fails if two lead at once.
struct Log(UnsafeCell<Vec<u32>>);

// The queue promises one leader at a time, and loom checks every access.
#[allow(unsafe_code)]
// SAFETY: only a leader touches the cell (invariant 1 of the queue).
unsafe impl Sync for Log {}
#[allow(unsafe_code)]
// SAFETY: as for Sync.
unsafe impl Send for Log {}

fn submit(queue: &CommitQueue<Write>, log: &Log, groups: &AtomicUsize, id: u32, exclusive: bool) {
    let request = Write { id, exclusive, done: false };
    let back = queue.submit(request, |own, others| {
        groups.fetch_add(1, Ordering::Relaxed);
        assert!(!own.exclusive || others.is_empty(), "an exclusive request is led alone");
        log.0.with_mut(|log| {
            // SAFETY: this is the only leader (invariant 1 of the queue).
            #[allow(unsafe_code)]
            let log = unsafe { &mut *log };
            for member in std::iter::once(own).chain(others) {
                assert!(!member.done, "a request is handed to one leader");
                member.done = true;
                log.push(member.id);
            }
        });
    });
    assert!(back.done && back.id == id, "everybody gets the own request back, done");
}

fn explore(name: &str, exclusive: [bool; 3], expected_groups: &[usize]) {
    let executions = Arc::new(Count::new(0));
    let seen: Arc<Observed<BTreeSet<usize>>> = Arc::default();
    let (count, outcomes) = (Arc::clone(&executions), Arc::clone(&seen));
    loom::model(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let queue = Arc::new(CommitQueue::new(10));
        let log = Arc::new(Log(UnsafeCell::new(Vec::new())));
        let groups = Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = (1..3)
            .map(|id| {
                let (queue, log, groups) =
                    (Arc::clone(&queue), Arc::clone(&log), Arc::clone(&groups));
                let alone = exclusive[id as usize];
                loom::thread::spawn(move || submit(&queue, &log, &groups, id, alone))
            })
            .collect();
        submit(&queue, &log, &groups, 0, exclusive[0]);
        others.into_iter().for_each(|t| t.join().expect("no writer panics"));
        log.0.with(|log| {
            // SAFETY: all leaders have ended.
            #[allow(unsafe_code)]
            let mut log = unsafe { (*log).clone() };
            log.sort_unstable();
            assert_eq!(log, [0, 1, 2], "each request is committed once");
        });
        let groups = groups.load(Ordering::Relaxed);
        outcomes.lock().expect("no panics").insert(groups);
    });
    let executions = executions.load(std::sync::atomic::Ordering::Relaxed);
    let seen = seen.lock().expect("no panics").clone();
    assert!(executions > 1, "loom explored one execution only");
    for groups in expected_groups {
        assert!(seen.contains(groups), "no execution with {groups} groups: {seen:?}");
    }
    println!("loom: MODEL name={name} executions={executions}");
}

#[test]
fn every_writer_is_committed_once_and_woken() {
    explore("commit-queue", [false; 3], &[2, 3]);
}

#[test]
fn an_exclusive_request_is_led_alone() {
    explore("commit-queue-exclusive", [false, true, false], &[3]);
}

/// The twin: a leader looks for a successor before it gives up leadership, in two steps. A
/// writer that queues in between waits for ever; loom reports the deadlock.
mod twin {
    use nori_env::sync::{Condvar, Mutex};
    use std::collections::VecDeque;

    #[derive(Default)]
    pub struct Queue {
        led: Mutex<bool>,
        waiting: Mutex<VecDeque<u32>>,
        turn: Mutex<Option<u32>>,
        wake: Condvar,
    }

    impl Queue {
        pub fn submit(&self, id: u32) {
            let leads = !std::mem::replace(&mut *self.led.lock(), true);
            if !leads {
                self.waiting.lock().push_back(id);
                let mut turn = self.turn.lock();
                while *turn != Some(id) {
                    turn = self.wake.wait(turn);
                }
            }
            let next = self.waiting.lock().pop_front();
            match next {
                Some(next) => {
                    *self.turn.lock() = Some(next);
                    self.wake.notify_all();
                }
                None => *self.led.lock() = false,
            }
        }
    }
}

#[test]
fn a_hand_over_in_two_steps_loses_a_writer() {
    let executions = Arc::new(Count::new(0));
    let count = Arc::clone(&executions);
    let caught = std::panic::catch_unwind(move || {
        loom::model(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let queue = Arc::new(twin::Queue::default());
            let other = Arc::clone(&queue);
            let thread = loom::thread::spawn(move || other.submit(1));
            queue.submit(0);
            thread.join().expect("no panic");
        });
    });
    assert!(caught.is_err(), "the twin's lost writer was not found");
    let executions = executions.load(std::sync::atomic::Ordering::Relaxed);
    println!("loom: TWIN name=commit-queue-two-steps caught after={executions}");
}
