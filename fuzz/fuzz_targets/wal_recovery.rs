//! libFuzzer for the target `wal_recovery` of nori-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nori_fuzz::run("wal_recovery", data));
