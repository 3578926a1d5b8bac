//! Group commit: writers queue up, one of them leads and commits for all who wait.
//!
//! 1. At most one leader at a time; groups are led in the order of the queue.
//! 2. Every request is handed to exactly one leader, and its submitter gets it back after that
//!    leader's work; nobody is left waiting (a leader that ends wakes the next one first), also
//!    when the work panics.
//! 3. An exclusive request is led alone.
//!
//! An uncontended request takes one lock twice, parks nowhere and allocates nothing.

use nori_env::sync::{Arc, Condvar, Mutex};
use std::collections::VecDeque;

/// What can be committed together.
pub(crate) trait Request {
    /// Its share of a group's size limit, in bytes.
    fn weight(&self) -> usize;
    /// Whether it must be led alone.
    fn is_exclusive(&self) -> bool;
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
    turn: Mutex<Turn<R>>,
    wake: Condvar,
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
            let ticket =
                Arc::new(Ticket { turn: Mutex::new(Turn::Waiting(request)), wake: Condvar::new() });
            state.waiting.push_back(Arc::clone(&ticket));
            drop(state);
            match ticket.wait() {
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
            let fits = match &*ticket.turn.lock() {
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
    /// Waits to be finished (Ok) or to lead (Err).
    fn wait(&self) -> Result<R, R> {
        let mut turn = self.turn.lock();
        loop {
            match std::mem::replace(&mut *turn, Turn::Taken) {
                Turn::Done(request) => return Ok(request),
                Turn::Leads(request) => return Err(request),
                waiting => *turn = waiting,
            }
            turn = self.wake.wait(turn);
        }
    }

    fn take(&self) -> R {
        match std::mem::replace(&mut *self.turn.lock(), Turn::Taken) {
            Turn::Waiting(request) => request,
            Turn::Taken | Turn::Leads(_) | Turn::Done(_) => {
                unreachable!("a queued ticket is waiting (invariant 2)")
            }
        }
    }

    fn set(&self, turn: Turn<R>) {
        *self.turn.lock() = turn;
        self.wake.notify_one();
    }
}
