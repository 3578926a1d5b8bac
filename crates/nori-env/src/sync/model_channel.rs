//! Channels for the checkers, which cannot see inside crossbeam's: a queue under their own lock
//! and condvars, with crossbeam's names and errors. Unit tests of the plain build run it beside
//! crossbeam's.
//!
//! 1. A message is received once, in the order of sending.
//! 2. What was sent before the last sender went can still be received; sending fails once the
//!    last receiver is gone, and gives the message back.

use super::{Arc, Condvar, Mutex, MutexGuard};
use crossbeam_channel::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug)]
struct Queue<T> {
    messages: VecDeque<T>,
    senders: usize,
    receivers: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Shared<T> {
    queue: Mutex<Queue<T>>,
    sent: Condvar,
    taken: Condvar,
}

/// The side that sends.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// The side that receives.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

/// A channel that holds at most `capacity` messages, at least one.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity.max(1);
    let queue = Queue { messages: VecDeque::new(), senders: 1, receivers: 1, capacity };
    let (sent, taken) = (Condvar::new(), Condvar::new());
    let shared = Arc::new(Shared { queue: Mutex::new(queue), sent, taken });
    (Sender(shared.clone()), Receiver(shared))
}

/// A channel without a limit.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

impl<T> Sender<T> {
    /// Sends, waiting for room.
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        let mut queue = self.0.queue.lock();
        loop {
            if queue.receivers == 0 {
                return Err(SendError(message));
            }
            if queue.messages.len() < queue.capacity {
                break;
            }
            queue = self.0.taken.wait(queue);
        }
        queue.messages.push_back(message);
        self.0.sent.notify_one();
        Ok(())
    }

    /// Sends if there is room.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut queue = self.0.queue.lock();
        if queue.receivers == 0 {
            return Err(TrySendError::Disconnected(message));
        }
        if queue.messages.len() >= queue.capacity {
            return Err(TrySendError::Full(message));
        }
        queue.messages.push_back(message);
        self.0.sent.notify_one();
        Ok(())
    }

    /// Messages waiting.
    pub fn len(&self) -> usize {
        self.0.queue.lock().messages.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Receiver<T> {
    /// Receives, waiting for a message.
    pub fn recv(&self) -> Result<T, RecvError> {
        let mut queue = self.0.queue.lock();
        loop {
            match self.take(&mut queue) {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => queue = self.0.sent.wait(queue),
            }
        }
    }

    /// Receives a message that waits.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.take(&mut self.0.queue.lock())
    }

    /// Receives, waiting at most for `limit` after each wake-up.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        let mut queue = self.0.queue.lock();
        let mut timed_out = false;
        loop {
            match self.take(&mut queue) {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) if timed_out => return Err(RecvTimeoutError::Timeout),
                Err(TryRecvError::Empty) => {
                    (queue, timed_out) = self.0.sent.wait_timeout(queue, limit);
                }
            }
        }
    }

    fn take(&self, queue: &mut MutexGuard<'_, Queue<T>>) -> Result<T, TryRecvError> {
        match queue.messages.pop_front() {
            Some(message) => {
                self.0.taken.notify_one();
                Ok(message)
            }
            None if queue.senders == 0 => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Receives until the last sender is gone.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// Receives what waits.
    pub fn try_iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    /// Messages waiting.
    pub fn len(&self) -> usize {
        self.0.queue.lock().messages.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.0.queue.lock().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.0.queue.lock().receivers += 1;
        Receiver(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.senders -= 1;
        if queue.senders == 0 {
            self.0.sent.notify_all();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.receivers -= 1;
        let last = queue.receivers == 0;
        // Nobody will take them; free them now, but not under the lock.
        let unread = if last { std::mem::take(&mut queue.messages) } else { VecDeque::new() };
        drop(queue);
        if last {
            self.0.taken.notify_all();
        }
        drop(unread);
    }
}

#[cfg(all(test, not(any(nori_loom, nori_shuttle))))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::thread;

    /// The same story for both kinds of channel.
    macro_rules! story {
        ($name:ident, $channel:path) => {
            #[test]
            fn $name() {
                use $channel as channel;
                let (tx, rx) = channel::bounded(2);
                tx.send(1).unwrap();
                tx.try_send(2).unwrap();
                assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
                assert_eq!((tx.len(), rx.len()), (2, 2));
                assert_eq!((tx.is_empty(), rx.is_empty()), (false, false));
                assert_eq!((rx.recv(), rx.try_recv()), (Ok(1), Ok(2)));
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
                let limit = Duration::from_millis(1);
                assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
                // Messages outlive their senders, and each is received once.
                let other = tx.clone();
                other.send(4).unwrap();
                drop((tx, other));
                assert_eq!((rx.recv(), rx.recv()), (Ok(4), Err(RecvError)));
                assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
                assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Disconnected));
                // Without receivers the message comes back.
                let (tx, rx) = channel::unbounded();
                drop(rx.clone());
                tx.send(5).unwrap();
                drop(rx);
                assert_eq!(tx.send(6), Err(SendError(6)));
                assert_eq!(tx.try_send(7), Err(TrySendError::Disconnected(7)));
                // A full channel makes its senders wait, nothing is lost.
                let (tx, rx) = channel::bounded(3);
                let senders: Vec<_> = (0..4)
                    .map(|thread| {
                        let tx = tx.clone();
                        thread::spawn(move || (0..200).for_each(|n| tx.send((thread, n)).unwrap()))
                    })
                    .collect();
                drop(tx);
                let mut next = [0; 4];
                for (thread, n) in rx.iter() {
                    assert_eq!(next[thread], n);
                    next[thread] += 1;
                }
                assert_eq!(next, [200; 4]);
                senders.into_iter().for_each(|s| s.join().unwrap());
                assert_eq!(rx.try_iter().count(), 0);
            }
        };
    }

    story!(the_model_channel_tells_the_story, super);
    story!(the_plain_channel_tells_the_story, crossbeam_channel);
}
