//! Systems without loop devices: there is no such disk.

use super::Kind;
use std::path::Path;

/// What only Linux has.
#[derive(Debug)]
pub enum Disk {}

impl Disk {
    /// Says that this is not Linux.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: Kind, _: u64, _: &str) -> Result<Disk, String> {
        Err("not Linux".to_owned())
    }

    /// Nowhere.
    pub fn path(&self) -> &Path {
        match *self {}
    }

    /// Never.
    ///
    /// # Errors
    /// None.
    pub fn cut(&self) -> Result<(), String> {
        match *self {}
    }

    /// Never.
    ///
    /// # Errors
    /// None.
    pub fn remount(&mut self) -> Result<(), String> {
        match *self {}
    }
}
