//! x

mod error;
mod log;
mod log_store;
mod machine;
mod options;
mod records;
mod snapshot;
mod state;
mod store;
mod worker;

pub use error::{Error, Result};
pub use log_store::LogStore;
pub use machine::Applier;
pub use options::RaftOptions;
pub use snapshot::{SnapshotBuilder, SnapshotFile};
pub use state::{StateBatch, StateMachine, StateView};
pub use store::RaftStore;
