//! Where a store is.

use super::Lsm;
use std::path::Path;

impl Lsm {
    /// The store's directory, absolute where the file system has a current directory.
    pub fn path(&self) -> &Path {
        &self.handle().paths.root
    }
}
