//! What a simulated disk holds: files and directories, each as it is on disk and as processes
//! see it, and the ordered changes between the two.
//!
//! 1. Unless a sync of the file has failed, `view` is `disk` with `pending` applied in order.
//!    After a failed sync (`lost`) the view still shows what the disk never got.
//! 2. A directory's `view` is its `disk` with `pending` applied in order, always.
//! 3. Everything is behind `Arc`: a copy of the whole tree costs one count per file, and a later
//!    change copies only what it touches.

use super::content::Content;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A file or directory, whatever its names.
pub(super) type Ino = u64;
/// The root directory.
pub(super) const ROOT: Ino = 0;

/// A change of a file that is not on disk yet. `op` is the operation's number.
#[derive(Clone)]
pub(super) enum Change {
    Write { op: u64, at: usize, data: Arc<[u8]> },
    Resize { op: u64, len: usize },
}

impl Change {
    pub(super) fn op(&self) -> u64 {
        match self {
            Change::Write { op, .. } | Change::Resize { op, .. } => *op,
        }
    }

    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Change::Write { at, data, .. } => content.write(*at, data),
            Change::Resize { len, .. } => content.resize(*len),
        }
    }
}

/// A file.
#[derive(Clone, Default)]
pub(super) struct FileNode {
    pub(super) disk: Content,
    pub(super) view: Content,
    pub(super) pending: Vec<Change>,
    /// A sync failed: the view holds bytes that no later sync will bring to disk.
    pub(super) lost: bool,
    /// Room set aside by `allocate`.
    pub(super) reserved: usize,
}

impl FileNode {
    /// A file whose bytes are on disk.
    pub(super) fn settled(content: Content) -> FileNode {
        FileNode { disk: content.clone(), view: content, ..FileNode::default() }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty() && !self.lost
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.view);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if self.lost {
            return pending.iter().for_each(|c| c.apply(&mut self.disk));
        }
        // Invariant 1: what is to be written is what the view shows, so share it.
        if pending.iter().any(|c| matches!(c, Change::Resize { .. })) {
            self.disk = self.view.clone();
            return;
        }
        self.disk.resize(self.view.len());
        for change in &pending {
            if let Change::Write { at, data, .. } = change {
                self.disk.share(&self.view, *at, data.len());
            }
        }
    }

    /// What a failed sync leaves: pages that count as clean and never reach the disk.
    pub(super) fn lose_pending(&mut self) {
        self.lost |= !self.pending.is_empty();
        self.pending.clear();
    }

    pub(super) fn bytes_held(&self) -> usize {
        self.view.len().max(self.reserved)
    }
}

/// A change of a directory that is not on disk yet; a rename is one change.
#[derive(Clone)]
pub(super) struct EntryChange {
    pub(super) op: u64,
    pub(super) remove: Option<Arc<str>>,
    pub(super) insert: Option<(Arc<str>, Ino)>,
}

pub(super) type Entries = BTreeMap<Arc<str>, Ino>;

impl EntryChange {
    pub(super) fn apply(&self, entries: &mut Entries) {
        if let Some(name) = &self.remove {
            entries.remove(name);
        }
        if let Some((name, ino)) = &self.insert {
            entries.insert(name.clone(), *ino);
        }
    }
}

/// A directory.
#[derive(Clone, Default)]
pub(super) struct DirNode {
    pub(super) disk: Entries,
    pub(super) view: Entries,
    pub(super) pending: Vec<EntryChange>,
}

impl DirNode {
    pub(super) fn change(&mut self, change: EntryChange) {
        change.apply(&mut self.view);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.disk);
        }
    }

    /// Every file or directory this one may still lead to.
    fn reaches(&self) -> impl Iterator<Item = Ino> + '_ {
        let pending = self.pending.iter().filter_map(|c| c.insert.as_ref().map(|(_, ino)| *ino));
        self.disk.values().chain(self.view.values()).copied().chain(pending)
    }
}

/// All files and directories.
#[derive(Clone)]
pub(super) struct Tree {
    pub(super) files: BTreeMap<Ino, Arc<FileNode>>,
    pub(super) dirs: BTreeMap<Ino, Arc<DirNode>>,
    next: Ino,
    /// How many files make it worth to look for garbage again.
    collect_from: usize,
}

/// Trees smaller than this are not searched for garbage.
const COLLECT_MIN: usize = 64;

impl Default for Tree {
    fn default() -> Tree {
        let dirs = BTreeMap::from([(ROOT, Arc::default())]);
        Tree { files: BTreeMap::new(), dirs, next: ROOT + 1, collect_from: COLLECT_MIN }
    }
}

impl Tree {
    pub(super) fn new_file(&mut self, file: FileNode) -> Ino {
        let ino = self.new_ino();
        self.files.insert(ino, Arc::new(file));
        ino
    }

    pub(super) fn new_dir(&mut self) -> Ino {
        let ino = self.new_ino();
        self.dirs.insert(ino, Arc::default());
        ino
    }

    fn new_ino(&mut self) -> Ino {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn file_mut(&mut self, ino: Ino) -> Option<&mut FileNode> {
        self.files.get_mut(&ino).map(Arc::make_mut)
    }

    pub(super) fn dir_mut(&mut self, ino: Ino) -> Option<&mut DirNode> {
        self.dirs.get_mut(&ino).map(Arc::make_mut)
    }

    /// What the components lead to, from the root.
    pub(super) fn lookup(&self, components: &[Arc<str>]) -> Option<Ino> {
        components.iter().try_fold(ROOT, |dir, name| self.dirs.get(&dir)?.view.get(name).copied())
    }

    /// As [`Tree::collect`], once as much may be garbage as was kept the last time.
    pub(super) fn collect_now_and_then(&mut self, is_open: &dyn Fn(Ino) -> bool) {
        if self.files.len() >= self.collect_from {
            self.collect(is_open);
            self.collect_from = COLLECT_MIN.max(2 * self.files.len());
        }
    }

    /// Forgets files and directories that no name, pending change or handle leads to.
    pub(super) fn collect(&mut self, is_open: &dyn Fn(Ino) -> bool) {
        let mut reached = BTreeSet::from([ROOT]);
        let mut todo = vec![ROOT];
        while let Some(dir) = todo.pop() {
            let Some(dir) = self.dirs.get(&dir) else { continue };
            todo.extend(dir.reaches().filter(|ino| reached.insert(*ino)));
        }
        let keeps = |ino: Ino| reached.contains(&ino) || is_open(ino);
        self.files.retain(|ino, _| keeps(*ino));
        self.dirs.retain(|ino, _| keeps(*ino));
    }

    /// Files that the view shows below the root, by path.
    pub(super) fn walk(&self, each: &mut dyn FnMut(&str, Ino, &FileNode)) {
        let mut todo = vec![(String::new(), ROOT)];
        while let Some((path, dir)) = todo.pop() {
            let Some(dir) = self.dirs.get(&dir) else { continue };
            for (name, ino) in &dir.view {
                let path = format!("{path}/{name}");
                match self.files.get(ino) {
                    Some(file) => each(&path, *ino, file),
                    None => todo.push((path, *ino)),
                }
            }
        }
    }
}
