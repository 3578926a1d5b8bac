//! The workloads: their names, and the store that each begins with.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workload {
    /// A new store, every key once in order.
    FillSeq,
    /// A new store, every key once in random order.
    FillRandom,
    /// Random keys written again.
    Overwrite,
    /// Keys of hot ranges written again.
    OverwriteZipf,
    /// Random keys that exist.
    ReadRandom,
    /// Random keys that lie between those that exist.
    ReadMissing,
    /// Keys of hot ranges.
    ReadZipf,
    /// Seek to a random key and read ten entries.
    Seek10,
    /// Seek to a random key and read a hundred entries.
    Seek100,
    /// Everything, first to last.
    Scan,
    /// Everything, last to first.
    ScanReverse,
    /// Random reads beside one thread that overwrites; a row for each.
    ReadWhileWriting,
    /// YCSB A, values of 1000 bytes: half reads, half updates, some keys hot.
    YcsbA,
    /// YCSB B: 95 % reads, 5 % updates.
    YcsbB,
    /// YCSB C: reads.
    YcsbC,
    /// YCSB D: 95 % reads of the latest, 5 % inserts.
    YcsbD,
    /// YCSB E: 95 % scans of up to 100 entries, 5 % inserts.
    YcsbE,
    /// YCSB F: half reads, half reads and updates of what was read.
    YcsbF,
    /// 16 tenants read and written alike, two of them hot; half way two others become hot.
    MixedHotCold,
    /// Four of five keys deleted in random order, then a scan at once, then one when all is quiet.
    DeleteScan,
    /// Series appended by time, then the latest ten points of random series read.
    TimeSeries,
    /// Values of 16 KiB: random fill, random reads; as many bytes as a fill has.
    LargeValues,
    /// Time until the first get after a close, and as a killed process leaves the files.
    Reopen,
    /// Merge everything as far as the engine can.
    Compact,
    /// Puts that survive a power cut when they return, with 1, 4 and 16 threads.
    Durable,
}

/// What is in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing yet.
    Empty,
    /// Nothing yet; writes are durable.
    EmptySynced,
    /// All keys with their first or later values.
    Full,
    /// The records of YCSB.
    Ycsb,
}

use Workload::{
    Compact, DeleteScan, Durable, FillRandom, FillSeq, LargeValues, MixedHotCold, Overwrite,
    OverwriteZipf, ReadMissing, ReadRandom, ReadWhileWriting, ReadZipf, Reopen, Scan, ScanReverse,
    Seek10, Seek100, TimeSeries, YcsbA, YcsbB, YcsbC, YcsbD, YcsbE, YcsbF,
};

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 25] = [
        FillSeq,
        FillRandom,
        Overwrite,
        OverwriteZipf,
        ReadRandom,
        ReadMissing,
        ReadZipf,
        Seek10,
        Seek100,
        Scan,
        ScanReverse,
        ReadWhileWriting,
        YcsbA,
        YcsbB,
        YcsbC,
        YcsbD,
        YcsbE,
        YcsbF,
        MixedHotCold,
        DeleteScan,
        TimeSeries,
        LargeValues,
        Reopen,
        Compact,
        Durable,
    ];

    /// Its name, and in a few words what it does.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            FillSeq => ("fillseq", "A new store, every key once in order"),
            FillRandom => ("fillrandom", "A new store, every key once in random order"),
            Overwrite => ("overwrite", "Random keys written again"),
            OverwriteZipf => ("overwrite-zipf", "Keys of hot ranges written again"),
            ReadRandom => ("readrandom", "Random keys that exist"),
            ReadMissing => ("readmissing", "Random keys that lie between those that exist"),
            ReadZipf => ("readzipf", "Keys of hot ranges"),
            Seek10 => ("seek10", "Seek to a random key and read 10 entries"),
            Seek100 => ("seek100", "Seek to a random key and read 100 entries"),
            Scan => ("scan", "Everything, first to last"),
            ScanReverse => ("scan-reverse", "Everything, last to first"),
            ReadWhileWriting => {
                ("readwhilewriting", "Random reads beside one thread that overwrites")
            }
            YcsbA => ("ycsb-a", "1000-byte values, some keys hot: half reads, half updates"),
            YcsbB => ("ycsb-b", "Likewise: 95 % reads, 5 % updates"),
            YcsbC => ("ycsb-c", "Likewise: reads"),
            YcsbD => ("ycsb-d", "Likewise: 95 % reads of the latest, 5 % inserts"),
            YcsbE => ("ycsb-e", "Likewise: 95 % scans of up to 100 entries, 5 % inserts"),
            YcsbF => ("ycsb-f", "Likewise: half reads, half reads with an update"),
            MixedHotCold => {
                ("mixed-hotcold", "16 tenants read and written, two hot, others half way")
            }
            DeleteScan => ("delete-scan", "80 % deleted, a scan at once, one when all is quiet"),
            TimeSeries => ("timeseries", "8 series appended by time, then their tails read"),
            LargeValues => ("largevalues", "Values of 16 KiB: random fill, random reads"),
            Reopen => ("reopen", "Time until the first get: after a close, after a kill"),
            Compact => ("compact", "Merge everything into one run per slot"),
            Durable => ("durable", "Puts that survive a power cut, with 1, 4 and 16 threads"),
        }
    }

    /// Its name, as it is given on a command line.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What it does, in a few words.
    pub fn about(self) -> &'static str {
        self.words().1
    }

    /// The store that it begins with.
    pub(crate) fn shape(self) -> Shape {
        match self {
            FillSeq | FillRandom | TimeSeries | LargeValues => Shape::Empty,
            Durable => Shape::EmptySynced,
            YcsbA | YcsbB | YcsbC | YcsbD | YcsbE | YcsbF => Shape::Ycsb,
            _ => Shape::Full,
        }
    }

    /// The store that it leaves; `None`: one that nobody else could use.
    pub(crate) fn leaves(self) -> Option<Shape> {
        match self {
            FillSeq | FillRandom => Some(Shape::Full),
            // What they write depends on time, or keys are gone or added.
            ReadWhileWriting | DeleteScan | YcsbD | YcsbE | TimeSeries | LargeValues | Reopen
            | Durable => None,
            _ => Some(self.shape()),
        }
    }

    /// The number of the values that it writes: another one for each key, workload and key alike.
    pub(crate) fn value_number(self, key: u64) -> u64 {
        match self {
            FillSeq | FillRandom => key,
            _ => key.wrapping_add((self as u64 + 1) << 48),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Workload {
    type Err = Error;

    fn from_str(name: &str) -> Result<Workload, Error> {
        let found = Workload::ALL.into_iter().find(|workload| workload.name() == name);
        found.ok_or_else(|| Error::new(format!("there is no workload {name}")))
    }
}
