//! The models' map: a sorted, singly linked list that only grows, linked by compare-and-swap
//! (Harris's list without removal).
//!
//! loom sees all of it: the links are its atomics, the entries lie in its cells, which report a
//! read that does not happen after the write. It is as slow as it looks.

#![allow(unsafe_code)] // Nodes are reached through raw pointers.

use super::{Cursor, Map};
use crate::entry::Entry;
use crate::plant::{Plant, planted};
use nori_env::sync::atomic::{AtomicPtr, Ordering};
use nori_env::sync::cell::UnsafeCell;
use std::ptr;

/// A list of entries.
pub(crate) struct List {
    first: Link,
}

type Link = AtomicPtr<Node>;

struct Node {
    entry: UnsafeCell<Entry>,
    next: Link,
}

/// A node of the list, and the list for the way back.
#[derive(Clone, Copy)]
pub(crate) struct ListCursor<'a> {
    list: &'a List,
    node: &'a Node,
}

impl Node {
    fn entry(&self) -> &Entry {
        // SAFETY: an entry is written before its node is linked, and never again (invariant 1 of
        // the map). loom checks both.
        self.entry.with(|entry| unsafe { &*entry })
    }
}

impl List {
    fn load<'a>(&'a self, link: &'a Link) -> Option<&'a Node> {
        // SAFETY: a link is null or points to a node, which lives as long as the list.
        unsafe { link.load(Ordering::Acquire).as_ref() }
    }

    fn cursor<'a>(&'a self, node: &'a Node) -> ListCursor<'a> {
        ListCursor { list: self, node }
    }

    /// The last node of which `is_before` holds, and the link behind it with what it led to.
    fn find(&self, is_before: impl Fn(&Entry) -> bool) -> (Option<&Node>, &Link, Option<&Node>) {
        let (mut before, mut link) = (None, &self.first);
        loop {
            match self.load(link) {
                Some(node) if is_before(node.entry()) => {
                    (before, link) = (Some(node), &node.next);
                }
                behind => return (before, link, behind),
            }
        }
    }
}

impl Map for List {
    type Cursor<'a> = ListCursor<'a>;

    fn new() -> List {
        List { first: Link::new(ptr::null_mut()) }
    }

    fn insert(&self, entry: Entry) -> bool {
        let new = Box::into_raw(Box::new(Node {
            entry: UnsafeCell::new(entry),
            next: Link::new(ptr::null_mut()),
        }));
        // SAFETY: just made; freed below only while nobody else knows it.
        let node = unsafe { &*new };
        let order = if planted(Plant::LinkRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        loop {
            let (_, link, behind) = self.find(|other| other < node.entry());
            if behind.is_some_and(|other| other.entry() == node.entry()) {
                // SAFETY: never linked.
                drop(unsafe { Box::from_raw(new) });
                return false;
            }
            let behind = behind.map_or(ptr::null_mut(), |node| ptr::from_ref(node).cast_mut());
            node.next.store(behind, Ordering::Relaxed);
            if link.compare_exchange(behind, new, order, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
    }

    fn first(&self) -> Option<ListCursor<'_>> {
        self.load(&self.first).map(|node| self.cursor(node))
    }

    fn last(&self) -> Option<ListCursor<'_>> {
        self.find(|_| true).0.map(|node| self.cursor(node))
    }

    fn at_or_after(&self, probe: &Entry) -> Option<ListCursor<'_>> {
        self.find(|entry| entry < probe).2.map(|node| self.cursor(node))
    }

    fn at_or_before(&self, probe: &Entry) -> Option<ListCursor<'_>> {
        self.find(|entry| entry <= probe).0.map(|node| self.cursor(node))
    }
}

impl<'a> Cursor<'a> for ListCursor<'a> {
    fn entry(&self) -> &'a Entry {
        self.node.entry()
    }

    fn next(&self) -> Option<ListCursor<'a>> {
        self.list.load(&self.node.next).map(|node| self.list.cursor(node))
    }

    fn prev(&self) -> Option<ListCursor<'a>> {
        let here = self.node.entry();
        self.list.find(|entry| entry < here).0.map(|node| self.list.cursor(node))
    }
}

// SAFETY: nodes are shared between threads by design: the entry is not written once others can
// reach it, the link is atomic.
unsafe impl Send for List {}
// SAFETY: as above.
unsafe impl Sync for List {}
// SAFETY: a cursor is a shared reference to a list and a node of it.
unsafe impl Send for ListCursor<'_> {}
// SAFETY: as above.
unsafe impl Sync for ListCursor<'_> {}

impl Drop for List {
    fn drop(&mut self) {
        let mut next = self.first.load(Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: nobody else holds the list, and each node is reached once.
            let node = unsafe { Box::from_raw(next) };
            next = node.next.load(Ordering::Relaxed);
        }
    }
}
