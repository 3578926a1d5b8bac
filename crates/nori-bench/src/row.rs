//! What is told of a workload.

use crate::histogram::Latency;
use serde::{Serialize, Serializer};

/// What one workload did and cost, or one part of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The engine's name.
    pub engine: String,
    /// The workload's name.
    pub workload: String,
    /// Which part of the workload; empty for the whole of it.
    pub part: String,
    /// Threads that did it.
    pub threads: u64,
    /// Operations; entries, for scans of everything.
    pub ops: u64,
    /// Reads that found a value, or entries that scans met.
    pub found: Option<u64>,
    /// Of the keys and values that were read, in any order; engines that answer alike have equal
    /// ones. None where the answers depend on how threads interleave. As hexadecimal digits.
    #[serde(serialize_with = "hexadecimal")]
    pub checksum: Option<u64>,
    /// Until background work was done too.
    pub seconds: f64,
    /// Until the last operation returned.
    pub seconds_until_acknowledged: f64,
    /// Operations over `seconds`.
    pub ops_per_second: f64,
    /// Operations over `seconds_until_acknowledged`.
    pub ops_per_second_until_acknowledged: f64,
    /// Of single operations; none where they are too cheap to be timed one by one.
    pub latency: Option<Latency>,
    /// Bytes of keys and values handed over.
    pub user_bytes: u64,
    /// Bytes written to the log, as the engine counts them.
    pub log_bytes: Option<u64>,
    /// Bytes that flushes wrote, likewise.
    pub flush_bytes: Option<u64>,
    /// Bytes that merges wrote, likewise.
    pub merge_bytes: Option<u64>,
    /// Log, flushes and merges.
    pub bytes_written: Option<u64>,
    /// Bytes that the process handed over for writing to disks, as the system counts them: pages
    /// made dirty, once while they wait. The same count for each engine.
    pub system_bytes_written: Option<u64>,
    /// `bytes_written` over `user_bytes`.
    pub write_amplification: Option<f64>,
    /// Of all threads, those in the background too.
    pub cpu_seconds: Option<f64>,
    /// The same over `ops`, in microseconds.
    pub cpu_us_per_op: Option<f64>,
    /// The most memory that the process had at once.
    pub memory_peak_bytes: Option<u64>,
    /// Of all files of the store.
    pub disk_bytes: u64,
    /// Bytes of the keys and values that are in the store.
    pub live_bytes: u64,
    /// `disk_bytes` over `live_bytes`.
    pub space_amplification: Option<f64>,
    /// Sorted runs that a read of one key looked into.
    pub runs_probed_per_read: Option<f64>,
    /// Writers that waited for background work.
    pub stalls: Option<u64>,
    /// Blocks found in the cache.
    pub cache_hits: Option<u64>,
    /// Blocks not found there.
    pub cache_misses: Option<u64>,
    /// One for each second.
    pub samples: Vec<Sample>,
}

/// One second of a workload; the last one may be a quarter longer, or shorter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sample {
    /// When it ended, since the workload began.
    pub at_seconds: f64,
    /// Operations in it, for each second.
    pub ops_per_second: f64,
    /// Of the operations that ended in it; none where they are not timed one by one.
    pub p99_ns: Option<u64>,
}

impl Row {
    /// The workload and its part.
    pub fn name(&self) -> String {
        let space = if self.part.is_empty() { "" } else { " " };
        format!("{}{space}{}", self.workload, self.part)
    }
}

#[cfg(test)]
impl Row {
    /// A row that tells nothing yet.
    pub(crate) fn empty(engine: &str, workload: &str) -> Row {
        Row {
            engine: engine.to_string(),
            workload: workload.to_string(),
            part: String::new(),
            threads: 1,
            ops: 0,
            found: None,
            checksum: None,
            seconds: 0.0,
            seconds_until_acknowledged: 0.0,
            ops_per_second: 0.0,
            ops_per_second_until_acknowledged: 0.0,
            latency: None,
            user_bytes: 0,
            log_bytes: None,
            flush_bytes: None,
            merge_bytes: None,
            bytes_written: None,
            system_bytes_written: None,
            write_amplification: None,
            cpu_seconds: None,
            cpu_us_per_op: None,
            memory_peak_bytes: None,
            disk_bytes: 0,
            live_bytes: 0,
            space_amplification: None,
            runs_probed_per_read: None,
            stalls: None,
            cache_hits: None,
            cache_misses: None,
            samples: Vec::new(),
        }
    }
}

fn hexadecimal<S: Serializer>(checksum: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    checksum.map(|checksum| format!("{checksum:016x}")).serialize(to)
}
