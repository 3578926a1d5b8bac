//! What changes names: the verbs of directories, under the one lock.
//!
//! 1. A verb that fails has changed nothing.
//! 2. A rename is one change of one directory, so no crash shows half of it.

use super::tree::{EntryChange, FileNode, Ino, Tree};
use super::{FREE_UNLIMITED, State};
use crate::sync::Arc;
use crate::{FsError, FsResult};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::io::ErrorKind;
use std::path::{Component, Path};

pub(super) type Name = Arc<str>;

/// The names on the way to a path. The root, a leading `/` and `.` are nothing.
pub(super) fn components(path: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                let name = name.to_str().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
                names.push(Name::from(name));
            }
            Component::ParentDir => drop(names.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}

/// Adds what was being done to a failure.
pub(super) fn told<T>(op: &'static str, path: &Path, result: io::Result<T>) -> FsResult<T> {
    result.map_err(|source| FsError::new(op, path, source))
}

pub(super) fn failed<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

impl State {
    pub(super) fn image(&self) -> State {
        State { handles: BTreeMap::new(), locks: BTreeSet::new(), hook: None, ..self.clone() }
    }

    pub(super) fn tree(&mut self) -> &mut Tree {
        Arc::make_mut(&mut self.tree)
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Ino> {
        self.tree.lookup(&components(path)?).map_or_else(|| failed(ErrorKind::NotFound), Ok)
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<Ino> {
        let ino = self.find(path)?;
        if self.tree.dirs.contains_key(&ino) {
            return failed(ErrorKind::IsADirectory);
        }
        Ok(ino)
    }

    pub(super) fn find_dir(&self, path: &Path) -> io::Result<Ino> {
        let ino = self.find(path)?;
        if self.tree.files.contains_key(&ino) {
            return failed(ErrorKind::NotADirectory);
        }
        Ok(ino)
    }

    /// The directory that holds a path's last name, and that name.
    pub(super) fn parent(&self, path: &Path) -> io::Result<(Ino, Name)> {
        let mut names = components(path)?;
        let Some(name) = names.pop() else { return failed(ErrorKind::InvalidInput) };
        match self.tree.lookup(&names) {
            Some(ino) if self.tree.dirs.contains_key(&ino) => Ok((ino, name)),
            Some(_) => failed(ErrorKind::NotADirectory),
            None => failed(ErrorKind::NotFound),
        }
    }

    pub(super) fn entry(&self, dir: Ino, name: &str) -> Option<Ino> {
        self.tree.dirs.get(&dir)?.view.get(name).copied()
    }

    pub(super) fn change_entry(
        &mut self,
        dir: Ino,
        remove: Option<Name>,
        insert: Option<(Name, Ino)>,
    ) {
        let op = self.ops.saturating_sub(1);
        if let Some(dir) = self.tree().dir_mut(dir) {
            dir.change(EntryChange { op, remove, insert });
        }
    }

    /// Bytes held by files that have a name or are open.
    pub(super) fn used(&self) -> u64 {
        let mut held = BTreeMap::new();
        self.tree.walk(&mut |_, ino, file| {
            held.insert(ino, file.bytes_held());
        });
        for ino in self.handles.keys() {
            if let Some(file) = self.tree.files.get(ino) {
                held.insert(*ino, file.bytes_held());
            }
        }
        held.values().map(|n| u64::try_from(*n).unwrap_or(u64::MAX)).sum()
    }

    pub(super) fn free(&self) -> u64 {
        self.capacity.map_or(FREE_UNLIMITED, |capacity| capacity.saturating_sub(self.used()))
    }

    pub(super) fn needs_some_room(&self) -> io::Result<()> {
        if self.capacity.is_some() && self.free() == 0 {
            return failed(ErrorKind::StorageFull);
        }
        Ok(())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Ino> {
        let (dir, name) = self.parent(path)?;
        if self.entry(dir, &name).is_some() {
            return failed(ErrorKind::AlreadyExists);
        }
        self.needs_some_room()?;
        let ino = self.tree().new_file(FileNode::default());
        self.change_entry(dir, None, Some((name, ino)));
        Ok(ino)
    }

    pub(super) fn open_handle(&mut self, ino: Ino) {
        *self.handles.entry(ino).or_insert(0) += 1;
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let ((dir, old), (target, new)) = (self.parent(from)?, self.parent(to)?);
        if dir != target {
            return failed(ErrorKind::CrossesDevices);
        }
        let Some(ino) = self.entry(dir, &old) else { return failed(ErrorKind::NotFound) };
        match self.entry(dir, &new) {
            Some(same) if same == ino => return Ok(()),
            Some(other) if self.tree.dirs.contains_key(&other) => {
                return failed(ErrorKind::IsADirectory);
            }
            _ => {}
        }
        self.change_entry(dir, Some(old), Some((new, ino)));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.find_file(path)?;
        let (dir, name) = self.parent(path)?;
        self.change_entry(dir, Some(name), None);
        Ok(())
    }

    pub(super) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let ino = self.find_file(from)?;
        let (dir, name) = self.parent(to)?;
        if self.entry(dir, &name).is_some() {
            return failed(ErrorKind::AlreadyExists);
        }
        self.needs_some_room()?;
        self.change_entry(dir, None, Some((name, ino)));
        Ok(())
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        if self.entry(dir, &name).is_some() {
            return failed(ErrorKind::AlreadyExists);
        }
        self.needs_some_room()?;
        let ino = self.tree().new_dir();
        self.change_entry(dir, None, Some((name, ino)));
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let ino = self.find_dir(path)?;
        if self.tree.dirs.get(&ino).is_some_and(|d| !d.view.is_empty()) {
            return failed(ErrorKind::DirectoryNotEmpty);
        }
        let (dir, name) = self.parent(path)?;
        self.change_entry(dir, Some(name), None);
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let ino = self.find_dir(path)?;
        if self.tree.dirs.get(&ino).is_none_or(|d| d.pending.is_empty()) {
            return Ok(());
        }
        let State { tree, handles, .. } = self;
        let tree = Arc::make_mut(tree);
        if let Some(dir) = tree.dir_mut(ino) {
            dir.sync();
        }
        tree.collect_now_and_then(&|ino| handles.contains_key(&ino));
        Ok(())
    }
}
