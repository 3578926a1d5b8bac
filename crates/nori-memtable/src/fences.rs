//! The index of the leaves: a skip list (Pugh) of fences that only grows.
//!
//! A fence is the lowest entry of its leaf; the first node has none and is below all. A node's
//! leaf holds the entries from its fence to the next node's.
//!
//! 1. A node is linked on the lowest level first, by one compare-and-swap, and is in the list from
//!    then on; the levels above are short cuts.
//! 2. Nodes are never removed; they live as long as the arena.
//! 3. A node's leaf is replaced only by one with the same entries or their lower part, after the
//!    rest is linked as a node of its own (see [`crate::map`]).

#![allow(unsafe_code)] // Nodes and leaves behind pointers.

use crate::arena::Arena;
use crate::entry::{Entry, FRONT_WORDS, Head, Target, front};
use crate::leaf::Leaf;
use crate::plant::{Plant, planted};
use nori_env::sync::atomic::{AtomicPtr, Ordering};
use nori_env::sync::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::{array, cmp};

/// Each level has a quarter of the nodes of the one below; ten are enough for a million leaves.
const LEVELS: usize = if cfg!(nori_loom) { 2 } else { 10 };

/// A fence and its leaf. What a search reads of most nodes lies in one cache line.
#[repr(C, align(64))]
pub(crate) struct Node {
    /// The cell is for loom: it sees a node that is reached before it is written.
    fence: UnsafeCell<Fence>,
    leaf: AtomicPtr<Leaf>,
    next: [AtomicPtr<Node>; LEVELS],
}

#[derive(Clone, Copy)]
struct Fence {
    front: [u64; FRONT_WORDS],
    /// Null in the first node.
    entry: *mut Head,
}

/// The list, and the arenas that it lies in.
pub(crate) struct Fences {
    first: NonNull<Node>,
    /// Nodes lie by themselves: a search visits many, and so finds them on few pages.
    nodes: Arena,
    arena: Arena,
}

impl Node {
    fn new(fence: Option<Entry<'_>>, leaf: &Leaf) -> Node {
        let front = fence.map_or([0; FRONT_WORDS], |entry| front(entry.user_key()));
        Node {
            fence: UnsafeCell::new(Fence {
                front,
                entry: fence.map_or(ptr::null_mut(), Entry::as_ptr),
            }),
            leaf: AtomicPtr::new(ptr::from_ref(leaf).cast_mut()),
            next: array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    fn parts(&self) -> Fence {
        // SAFETY: written before the node is linked, never again.
        self.fence.with(|fence| unsafe { *fence })
    }

    /// The fence; `None` in the first node.
    pub(crate) fn fence(&self) -> Option<Entry<'_>> {
        // SAFETY: fences are entries of the node's arena.
        unsafe { Entry::from_ptr(self.parts().entry) }
    }

    /// How the fence compares to a target.
    #[inline]
    pub(crate) fn order_to(&self, target: &Target<'_>) -> cmp::Ordering {
        let fence = self.parts();
        // SAFETY: as in `fence`.
        let entry = || unsafe { Entry::from_ptr(fence.entry) };
        let keys = fence.front.cmp(&target.front);
        keys.then_with(|| entry().map_or(cmp::Ordering::Less, |entry| target.order_of(entry)))
    }

    /// The leaf.
    pub(crate) fn leaf(&self) -> &Leaf {
        // SAFETY: never null; leaves live as long as the node's arena.
        unsafe { &*self.leaf.load(Ordering::Acquire) }
    }

    /// Replaces a leaf, unless somebody else did.
    pub(crate) fn replace(&self, old: &Leaf, new: &Leaf) {
        let (old, new) = (ptr::from_ref(old).cast_mut(), ptr::from_ref(new).cast_mut());
        if planted(Plant::LeafInTwoSteps) {
            return self.leaf.store(new, Ordering::Release);
        }
        let order = if planted(Plant::LeafRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        _ = self.leaf.compare_exchange(old, new, order, Ordering::Relaxed);
    }

    /// The node behind this one.
    #[inline]
    pub(crate) fn next(&self) -> Option<&Node> {
        self.link(0)
    }

    #[inline]
    fn link(&self, level: usize) -> Option<&Node> {
        // SAFETY: null, or a node, which lives as long as this one's arena.
        unsafe { self.next[level].load(Ordering::Acquire).as_ref() }
    }
}

impl Fences {
    /// A list of one empty leaf.
    pub(crate) fn new() -> Fences {
        let (nodes, arena) = (Arena::new(), Arena::new());
        let leaf = Leaf::place(&arena, &[], &[], &[]);
        let first = NonNull::from(nodes.place(Node::new(None, leaf)));
        Fences { first, nodes, arena }
    }

    /// The memory taken, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.used() + self.arena.used()
    }

    /// For what lives as long as the list.
    pub(crate) fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The node below all.
    pub(crate) fn first(&self) -> &Node {
        // SAFETY: nodes live as long as the arena, which is the list's.
        unsafe { self.first.as_ref() }
    }

    /// The last node.
    pub(crate) fn last(&self) -> &Node {
        let mut at = self.first();
        for level in (0..LEVELS).rev() {
            while let Some(next) = at.link(level) {
                at = next;
            }
        }
        at
    }

    /// The last node whose fence compares to the target as `is_before` says, and the one behind.
    #[inline]
    pub(crate) fn find(
        &self,
        target: &Target<'_>,
        is_before: impl Fn(cmp::Ordering) -> bool,
    ) -> (&Node, Option<&Node>) {
        let mut at = self.first();
        // The node that ended the search one level up: it ends this one too.
        let mut end = None;
        for level in (0..LEVELS).rev() {
            end = Fences::go_on(&mut at, level, end, target, &is_before);
        }
        (at, end)
    }

    /// Goes on along a level, up to the last node before the target; returns the one behind.
    #[inline]
    fn go_on<'a>(
        at: &mut &'a Node,
        level: usize,
        end: Option<&'a Node>,
        target: &Target<'_>,
        is_before: impl Fn(cmp::Ordering) -> bool,
    ) -> Option<&'a Node> {
        loop {
            let next = at.link(level)?;
            let known = end.is_some_and(|end| ptr::eq(next, end));
            if known || !is_before(next.order_to(target)) {
                return Some(next);
            }
            *at = next;
        }
    }

    /// Adds a leaf whose lowest entry is `fence`, unless the fence is there.
    pub(crate) fn insert(&self, fence: Entry<'_>, leaf: &Leaf) {
        let target = Target::new(fence.key());
        let mut before = [self.first(); LEVELS];
        let mut behind = [None; LEVELS];
        let (mut at, mut end) = (self.first(), None);
        for level in (0..LEVELS).rev() {
            end = Fences::go_on(&mut at, level, end, &target, cmp::Ordering::is_lt);
            (before[level], behind[level]) = (at, end);
        }
        let is_there = |node: Option<&Node>| node.is_some_and(|n| n.order_to(&target).is_eq());
        if is_there(end) {
            return;
        }
        let node = self.nodes.place(Node::new(Some(fence), leaf));
        for level in 0..height(fence.trailer()) {
            while !before[level].link_behind(level, behind[level], node) {
                let at = &mut before[level];
                behind[level] = Fences::go_on(at, level, None, &target, cmp::Ordering::is_lt);
                if is_there(behind[level]) {
                    return;
                }
            }
        }
    }
}

impl Node {
    /// Links `node` between this one and `behind`; false if something else is there by now.
    fn link_behind(&self, level: usize, behind: Option<&Node>, node: &Node) -> bool {
        let behind = behind.map_or(ptr::null_mut(), |node| ptr::from_ref(node).cast_mut());
        let new = ptr::from_ref(node).cast_mut();
        // Nobody reads the node's link of a level on which it is not linked.
        node.next[level].store(behind, Ordering::Relaxed);
        let order = if planted(Plant::NodeRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        self.next[level].compare_exchange(behind, new, order, Ordering::Relaxed).is_ok()
    }
}

/// How many levels a node is on: a function of its fence, so that a run can be repeated.
fn height(trailer: u64) -> usize {
    // The finaliser of splitmix64.
    let mixed = trailer.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let zeros = (mixed ^ (mixed >> 31)).trailing_zeros() as usize;
    (1 + zeros / 2).min(LEVELS)
}

// SAFETY: nodes are shared between threads by design: the fence is not written once others can
// reach the node, leaf and links are atomic.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}
// SAFETY: a list is its nodes and their arena.
unsafe impl Send for Fences {}
// SAFETY: as above.
unsafe impl Sync for Fences {}
