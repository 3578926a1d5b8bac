//! The regular files below a directory, in the order of their keys.
//!
//! A file's key is its path below the directory with '/' between the names. Within a directory,
//! names are sorted with a '/' behind those of directories: then a walk that goes into each
//! directory where it stands meets all keys in ascending order, and remembers no more than the
//! directories it is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What stands at one place of the walk.
#[derive(Debug)]
pub(crate) enum Item {
    /// A regular file.
    File {
        /// Its key.
        key: Vec<u8>,
        /// Where it is.
        path: PathBuf,
    },
    /// A symbolic link, a socket, a pipe, a device.
    Special,
    /// A directory or name that cannot be looked at.
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

enum Node {
    Directory(Vec<u8>, PathBuf),
    Ready(Vec<u8>, Item),
}

impl Node {
    fn order(&self) -> &[u8] {
        match self {
            Node::Directory(key, _) | Node::Ready(key, _) => key,
        }
    }
}

/// A walk.
pub(crate) struct Tree {
    /// What is still to do in each directory on the way down, each sorted backwards.
    todo: Vec<Vec<Node>>,
}

impl Tree {
    /// Walks below `dir`, which itself may be a link.
    pub(crate) fn walk(dir: &Path) -> Tree {
        Tree { todo: vec![vec![Node::Directory(Vec::new(), dir.to_path_buf())]] }
    }
}

impl Iterator for Tree {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            match self.todo.last_mut()?.pop() {
                None => drop(self.todo.pop()),
                Some(Node::Ready(_, item)) => return Some(item),
                Some(Node::Directory(key, path)) => match list(&key, &path) {
                    Ok(nodes) => self.todo.push(nodes),
                    Err(error) => return Some(Item::Unreadable { path, error }),
                },
            }
        }
    }
}

fn list(prefix: &[u8], dir: &Path) -> io::Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, mut key) = (entry.path(), prefix.to_vec());
        key.extend_from_slice(entry.file_name().as_encoded_bytes());
        nodes.push(match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                key.push(b'/');
                Node::Directory(key, path)
            }
            Ok(kind) if kind.is_file() => Node::Ready(key.clone(), Item::File { key, path }),
            Ok(_) => Node::Ready(key, Item::Special),
            Err(error) => Node::Ready(key, Item::Unreadable { path, error }),
        });
    }
    nodes.sort_unstable_by(|a, b| b.order().cmp(a.order()));
    Ok(nodes)
}

/// How many files there are, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Files between two looks of the progress.
const PROGRESS_EVERY: u64 = 1024;

/// Counts the files below a directory. What cannot be looked at counts nothing here.
pub(crate) fn measure(dir: &Path, mut progress: impl FnMut(&Size)) -> Size {
    let mut size = Size::default();
    for item in Tree::walk(dir) {
        if let Item::File { path, .. } = item {
            size.files += 1;
            size.bytes += fs::symlink_metadata(path).map_or(0, |meta| meta.len());
            if size.files.is_multiple_of(PROGRESS_EVERY) {
                progress(&size);
            }
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_keys() {
        let root = std::env::temp_dir().join(format!("nori-tree-{}", std::process::id()));
        let names =
            ["a/x", "a.txt", "a-b/y", "a/b/c/d", "b", "a0", "c/e", "c.d/e", "z\u{e9}/f", "z"];
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        fs::create_dir_all(root.join("empty")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&root, root.join("loop")).unwrap();
        let (mut found, mut special) = (Vec::new(), 0);
        for item in Tree::walk(&root) {
            match item {
                Item::File { key, path } => {
                    assert_eq!(fs::read(path).unwrap(), key);
                    found.push(key);
                }
                Item::Special => special += 1,
                Item::Unreadable { path, error } => panic!("{path:?}: {error}"),
            }
        }
        let mut wanted: Vec<Vec<u8>> = names.iter().map(|n| n.as_bytes().to_vec()).collect();
        wanted.sort();
        assert_eq!(found, wanted);
        assert_eq!(special, u32::from(cfg!(unix)));
        let size = measure(&root, |_| ());
        assert_eq!((size.files, size.bytes), (10, names.iter().map(|n| n.len() as u64).sum()));
        let missing = Tree::walk(&root.join("nothing")).next();
        assert!(matches!(missing, Some(Item::Unreadable { .. })));
        fs::remove_dir_all(root).unwrap();
    }
}
