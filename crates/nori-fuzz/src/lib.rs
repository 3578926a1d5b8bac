//! What the fuzz targets check, as plain functions from bytes to a panic.
//!
//! A target takes any bytes at all. It fails by panicking: because a decoder did, or because a
//! property did not hold. Decoders are checked for more than survival: what they accept must read
//! the same again, and of a file with one changed byte only true records may come back.
//!
//! ```
//! for target in nori_fuzz::TARGETS {
//!     (target.run)(b"any bytes");
//! }
//! ```

mod bloom_parse;
mod input;
mod key_order;
mod manifest;
mod routing;
mod store;
mod table;
mod table_parts;
mod wal_records;
mod wal_recovery;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: the binary in `fuzz/` and the folder of its seeds.
    pub name: &'static str,
    /// Panics if something is wrong with how `nori` treats these bytes.
    pub run: fn(&[u8]),
    /// Well-formed inputs to start from, with the names of their files.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "bloom_parse", run: bloom_parse::run, seeds: bloom_parse::seeds },
    Target { name: "key_order", run: key_order::run, seeds: key_order::seeds },
    Target { name: "manifest", run: manifest::run, seeds: manifest::seeds },
    Target { name: "manifest_record", run: manifest::run_records, seeds: manifest::record_seeds },
    Target { name: "routing", run: routing::run, seeds: routing::seeds },
    Target { name: "store_log_record", run: store::run_log_record, seeds: store::log_record_seeds },
    Target { name: "store_program", run: store::run_program, seeds: store::program_seeds },
    Target { name: "table", run: table::run, seeds: table::seeds },
    Target { name: "table_block", run: table_parts::run_block, seeds: table_parts::block_seeds },
    Target { name: "table_footer", run: table_parts::run_footer, seeds: table_parts::footer_seeds },
    Target { name: "table_index", run: table_parts::run_index, seeds: table_parts::index_seeds },
    Target { name: "wal_records", run: wal_records::run, seeds: wal_records::seeds },
    Target { name: "wal_recovery", run: wal_recovery::run, seeds: wal_recovery::seeds },
];

/// Runs the target called `name`; for the binaries of libFuzzer.
///
/// # Panics
/// If there is no such target, or if the target finds something.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("the binary's name is a target").run)(data);
}
