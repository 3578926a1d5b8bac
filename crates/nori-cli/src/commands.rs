//! The commands that work on one store.

pub(crate) mod backup;
pub(crate) mod dump;
pub(crate) mod entries;
pub(crate) mod layout;
pub(crate) mod load_dir;
pub(crate) mod ranges;
pub(crate) mod repair;
pub(crate) mod slots;
pub(crate) mod stats;
pub(crate) mod stream;
pub(crate) mod upkeep;
pub(crate) mod verify;
pub(crate) mod verify_dir;
pub(crate) mod viz;
