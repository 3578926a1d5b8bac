//! What is measured, with how much data.

use crate::data::Data;
use crate::engine::Options;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Sizes that all workloads of a bench share.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Keys in the store, and operations of most workloads.
    pub keys: u64,
    /// Bytes of a key: enough digits for twice the number of keys.
    pub key_bytes: u64,
    /// Bytes of a value, where the workload does not say otherwise; half of them compress well.
    pub value_bytes: u64,
    /// Threads that call the store.
    pub threads: u64,
    /// Explains keys, values and their order.
    pub seed: u64,
    /// How long each count of threads of durable puts runs.
    pub durable_time: Duration,
    /// How stores are opened. Durable puts open theirs synced.
    pub options: Options,
    /// Where the store is made.
    pub dir: PathBuf,
}

impl Plan {
    /// A million keys of 16 bytes with values of 100, one thread, in a directory.
    pub fn new(dir: impl AsRef<Path>) -> Plan {
        Plan {
            keys: 1_000_000,
            key_bytes: 16,
            value_bytes: 100,
            threads: 1,
            seed: 42,
            durable_time: Duration::from_secs(3),
            options: Options::default(),
            dir: dir.as_ref().to_path_buf(),
        }
    }

    /// Fails if a workload could not do what it says.
    pub(crate) fn check(&self) -> Result<()> {
        if self.keys == 0 || self.threads == 0 {
            return Err(Error::new("a bench needs at least one key and one thread"));
        }
        let digits = self.keys.saturating_mul(2).to_string().len() as u64;
        if self.key_bytes < digits || self.key_bytes > 1 << 16 || self.value_bytes > 1 << 30 {
            return Err(Error::new(format!(
                "keys of {} bytes and values of {}: a key needs {digits} bytes for the digits of \
                 twice the number of keys, at most 64 KiB; a value may have 1 GiB",
                self.key_bytes, self.value_bytes
            )));
        }
        Ok(())
    }

    /// Keys and values of this many bytes.
    pub(crate) fn data(&self, keys: u64, value_bytes: u64) -> Data {
        Data::new(keys, self.key_bytes, value_bytes, self.seed)
    }
}
