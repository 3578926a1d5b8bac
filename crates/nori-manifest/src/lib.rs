//! Versions of an LSM-tree, their edits, and the manifest log.
