//! The kinds of calls that a file system takes, for rules and traces.

/// A kind of call on a [`FileSystem`](crate::FileSystem) or a [`File`](crate::File).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FsOp {
    /// Opening an existing file.
    Open,
    /// Opening a file that must not exist.
    Create,
    /// `read_at`.
    Read,
    /// `write_at`.
    Write,
    /// `sync_data`, `sync_all`.
    Sync,
    /// `sync_dir`.
    SyncDir,
    /// `rename`.
    Rename,
    /// `remove`.
    Remove,
    /// `hard_link`.
    Link,
    /// `list`.
    List,
    /// `create_dir_all`.
    CreateDir,
    /// `remove_dir`.
    RemoveDir,
    /// `exists`.
    Exists,
    /// `truncate`.
    Truncate,
    /// `allocate`.
    Allocate,
    /// `len`.
    Length,
    /// `lock`.
    Lock,
    /// `free_space`.
    FreeSpace,
}

impl FsOp {
    /// Whether calls of this kind may change what is on disk.
    pub fn is_changing(self) -> bool {
        !matches!(
            self,
            FsOp::Open | FsOp::Read | FsOp::List | FsOp::Exists | FsOp::Length | FsOp::FreeSpace
        )
    }

    /// The word for it in messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            FsOp::Open => "open",
            FsOp::Create => "create",
            FsOp::Read => "read",
            FsOp::Write => "write",
            FsOp::Sync => "sync",
            FsOp::SyncDir => "sync directory",
            FsOp::Rename => "rename",
            FsOp::Remove => "remove",
            FsOp::Link => "link",
            FsOp::List => "list",
            FsOp::CreateDir => "create directory",
            FsOp::RemoveDir => "remove directory",
            FsOp::Exists => "look up",
            FsOp::Truncate => "truncate",
            FsOp::Allocate => "allocate",
            FsOp::Length => "length",
            FsOp::Lock => "lock",
            FsOp::FreeSpace => "free space",
        }
    }
}
