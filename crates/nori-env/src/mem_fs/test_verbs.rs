//! Verbs for tests: they look at a simulated disk or change it behind everyone's back. None of
//! them counts as an operation, and what they change is on disk at once.

use super::MemFs;
use super::content::Content;
use super::names::components;
use super::tree::{DirNode, Entries, FileNode, Ino, ROOT};
use std::path::{Path, PathBuf};

impl MemFs {
    /// All bytes of a file as processes see it; `None` if there is none.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.inner.lock();
        let ino = state.find_file(path.as_ref()).ok()?;
        Some(state.tree.files.get(&ino)?.view.to_vec())
    }

    /// The bytes of a file that have reached the disk.
    pub fn read_synced(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.inner.lock();
        let ino = state.find_file(path.as_ref()).ok()?;
        Some(state.tree.files.get(&ino)?.disk.to_vec())
    }

    /// Puts a file on the disk, replacing one of that name, with the directories it needs. A
    /// path that leads through a file, or to a directory, changes nothing and says false.
    pub fn write_file(&self, path: impl AsRef<Path>, bytes: &[u8]) -> bool {
        let mut state = self.inner.lock();
        let Ok(mut names) = components(path.as_ref()) else { return false };
        let Some(last) = names.pop() else { return false };
        let tree = state.tree();
        let mut dir = ROOT;
        for name in names {
            let known = tree.dirs.get(&dir).and_then(|d| d.view.get(&name).copied());
            let next = known.unwrap_or_else(|| tree.new_dir());
            edit(tree.dir_mut(dir), |entries| entries.insert(name.clone(), next));
            if !tree.dirs.contains_key(&next) {
                return false;
            }
            dir = next;
        }
        let known = tree.dirs.get(&dir).and_then(|d| d.view.get(&last).copied());
        if known.is_some_and(|ino| tree.dirs.contains_key(&ino)) {
            return false;
        }
        let mut content = Content::default();
        content.write(0, bytes);
        let ino = tree.new_file(FileNode::settled(content));
        edit(tree.dir_mut(dir), |entries| entries.insert(last.clone(), ino));
        true
    }

    /// Takes a file off the disk; false if there is none.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> bool {
        let mut state = self.inner.lock();
        let Ok(_) = state.find_file(path.as_ref()) else { return false };
        let Ok((dir, name)) = state.parent(path.as_ref()) else { return false };
        edit(state.tree().dir_mut(dir), |entries| entries.remove(&name));
        true
    }

    /// Flips the bits of `xor` in one byte, in the view and on disk; false if there is no such
    /// byte.
    pub fn corrupt(&self, path: impl AsRef<Path>, offset: u64, xor: u8) -> bool {
        let mut state = self.inner.lock();
        let Ok(ino) = state.find_file(path.as_ref()) else { return false };
        let Ok(at) = usize::try_from(offset) else { return false };
        let Some(file) = state.tree().file_mut(ino) else { return false };
        file.view.flip(at, xor);
        file.disk.flip(at, xor);
        at < file.view.len() || at < file.disk.len()
    }

    /// Every file that processes see, with its length in bytes, sorted by path.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut files = Vec::new();
        self.inner.lock().tree.walk(&mut |path, _, file| {
            files.push((PathBuf::from(path), u64::try_from(file.view.len()).unwrap_or(u64::MAX)));
        });
        files.sort();
        files
    }

    /// The bytes that files take, with what is set aside for them.
    pub fn total_bytes(&self) -> u64 {
        self.inner.lock().used()
    }

    /// A number that tells two disks apart: names and bytes, as seen and as synced. For tests of
    /// determinism.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest(0xcbf2_9ce4_8422_2325);
        let state = self.inner.lock();
        digest.number(state.nonce);
        for (ino, dir) in &state.tree.dirs {
            digest.number(*ino);
            for (name, ino) in dir.view.iter().chain(&dir.disk) {
                digest.bytes(name.as_bytes());
                digest.number(*ino);
            }
        }
        for (ino, file) in &state.tree.files {
            digest.number(*ino);
            digest.bytes(&file.view.to_vec());
            digest.bytes(&file.disk.to_vec());
            digest.number(file.pending.len().try_into().unwrap_or(u64::MAX));
        }
        digest.0
    }
}

/// Changes a directory on disk and in view, past the unsynced changes, which stay.
fn edit(dir: Option<&mut DirNode>, change: impl Fn(&mut Entries) -> Option<Ino>) {
    if let Some(dir) = dir {
        change(&mut dir.view);
        change(&mut dir.disk);
    }
}

/// FNV-1a, eight bytes at a time.
struct Digest(u64);

impl Digest {
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len().try_into().unwrap_or(u64::MAX));
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.number(u64::from_le_bytes(*word)));
        for byte in rest {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }
}
