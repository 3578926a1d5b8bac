//! Group commit: writers queue up, one of them leads and commits for all who wait.
//!
//! 1. At most one leader at a time; groups are led in the order of the queue.
//! 2. Every request is handed to exactly one leader, and its submitter gets it back after that
//!    leader's work; nobody is left waiting (a leader that ends wakes the next one first), also
//!    when the work panics.
//! 3. An exclusive request is led alone.
//!
//! An uncontended request takes one lock twice, parks nowhere and allocates nothing. Who waits
//! looks a while before it parks: a group that is not synced is done sooner than a thread is put to
//! sleep and woken. Who has not parked is not woken either, which would be a system call.

use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_env::sync::{Arc, Condvar, Mutex};
use std::collections::VecDeque;

/// How often a waiter looks before it parks: some microseconds. Checkers of interleavings would
/// only see the same moment again and again.
const LOOKS: usize = if cfg!(any(nori_loom, nori_shuttle)) { 0 } else { 256 };

/// What can be committed together.
pub(crate) trait Request {
    /// Its share of a group's size limit, in bytes.
    fn weight(&self) -> usize;
    /// Whether it must be led alone.
    fn is_exclusive(&self) -> bool;
    /// Whether committing it waits for the disk, so that it is of no use to look out for its end.
    fn waits_for_disk(&self) -> bool;
}

/// The queue of writers.
#[derive(Debug)]
pub(crate) struct CommitQueue<R> {
    state: Mutex<State<R>>,
    group_bytes_max: usize,
}

#[derive(Debug)]
struct State<R> {
    led: bool,
    waiting: VecDeque<Arc<Ticket<R>>>,
}

#[derive(Debug)]
struct Ticket<R> {
    place: Mutex<Place<R>>,
    /// Its turn has changed: look into `place`, which says how.
    is_called: AtomicBool,
    wake: Condvar,
}

#[derive(Debug)]
struct Place<R> {
    turn: Turn<R>,
    /// The submitter sleeps, and has to be woken.
    is_parked: bool,
}

#[derive(Debug)]
enum Turn<R> {
    /// Still in the queue.
    Waiting(R),
    /// A leader has the request.
    Taken,
    /// The submitter is the next leader.
    Leads(R),
    /// A leader has finished it.
    Done(R),
}

impl<R: Request> CommitQueue<R> {
    /// An empty queue whose groups weigh up to about `group_bytes_max`.
    pub(crate) fn new(group_bytes_max: usize) -> CommitQueue<R> {
        let state = State { led: false, waiting: VecDeque::new() };
        CommitQueue { state: Mutex::new(state), group_bytes_max }
    }

    /// Commits a request, in a group that this caller or another leads. `lead` gets the leader's
    /// own request and those it leads for, and writes each outcome into its request.
    pub(crate) fn submit(&self, request: R, lead: impl FnOnce(&mut R, &mut [R])) -> R {
        let mut state = self.state.lock();
        let mut own = if state.led {
            let looks = if request.waits_for_disk() { 0 } else { LOOKS };
            let ticket = Arc::new(Ticket::new(request));
            state.waiting.push_back(Arc::clone(&ticket));
            drop(state);
            match ticket.wait(looks) {
                Ok(done) => return done,
                Err(leads) => leads,
            }
        } else {
            state.led = true;
            drop(state);
            request
        };
        let mut led = Led { queue: self, tickets: Vec::new(), requests: Vec::new() };
        led.tickets = self.gather(&own);
        led.requests = led.tickets.iter().map(|t| t.take()).collect();
        lead(&mut own, &mut led.requests);
        drop(led);
        own
    }

    /// Those whom the leader of `own` leads for: a prefix of the queue.
    fn gather(&self, own: &R) -> Vec<Arc<Ticket<R>>> {
        let mut group = Vec::new();
        if own.is_exclusive() {
            return group;
        }
        let mut bytes = own.weight();
        let mut state = self.state.lock();
        while let Some(ticket) = state.waiting.front() {
            let fits = match &ticket.place.lock().turn {
                Turn::Waiting(r) => {
                    bytes += r.weight();
                    !r.is_exclusive() && bytes <= self.group_bytes_max
                }
                Turn::Taken | Turn::Leads(_) | Turn::Done(_) => false,
            };
            if !fits {
                break;
            }
            group.extend(state.waiting.pop_front());
        }
        group
    }

    /// Makes the first in the queue the leader, or leaves the queue without one.
    fn hand_over(&self) {
        let next = {
            let mut state = self.state.lock();
            let next = state.waiting.pop_front();
            state.led = next.is_some();
            next
        };
        if let Some(ticket) = next {
            let request = ticket.take();
            ticket.set(Turn::Leads(request));
        }
    }
}

/// Those whom a leader leads for. When its work ends, also by a panic, the next leader goes on
/// first, and they get their requests back second, as far as the work has come with them.
struct Led<'a, R: Request> {
    queue: &'a CommitQueue<R>,
    tickets: Vec<Arc<Ticket<R>>>,
    requests: Vec<R>,
}

impl<R: Request> Drop for Led<'_, R> {
    fn drop(&mut self) {
        self.queue.hand_over();
        for (ticket, request) in self.tickets.iter().zip(self.requests.drain(..)) {
            ticket.set(Turn::Done(request));
        }
    }
}

impl<R> Ticket<R> {
    fn new(request: R) -> Ticket<R> {
        let place = Place { turn: Turn::Waiting(request), is_parked: false };
        let (place, is_called) = (Mutex::new(place), AtomicBool::new(false));
        Ticket { place, is_called, wake: Condvar::new() }
    }

    /// Waits to be finished (Ok) or to lead (Err); looks so often before it parks.
    fn wait(&self, looks: usize) -> Result<R, R> {
        // Relaxed: it only says that looking under the lock is worth it.
        let is_called = || self.is_called.load(Ordering::Relaxed);
        for _ in 0..looks {
            if is_called() {
                break;
            }
            std::hint::spin_loop();
        }
        let mut place = self.place.lock();
        loop {
            match std::mem::replace(&mut place.turn, Turn::Taken) {
                Turn::Done(request) => return Ok(request),
                Turn::Leads(request) => return Err(request),
                waiting => place.turn = waiting,
            }
            place.is_parked = true;
            place = self.wake.wait(place);
        }
    }

    fn take(&self) -> R {
        match std::mem::replace(&mut self.place.lock().turn, Turn::Taken) {
            Turn::Waiting(request) => request,
            Turn::Taken | Turn::Leads(_) | Turn::Done(_) => {
                unreachable!("a queued ticket is waiting (invariant 2)")
            }
        }
    }

    fn set(&self, turn: Turn<R>) {
        let is_parked = {
            let mut place = self.place.lock();
            place.turn = turn;
            self.is_called.store(true, Ordering::Relaxed);
            place.is_parked
        };
        if is_parked {
            self.wake.notify_one();
        }
    }
}
