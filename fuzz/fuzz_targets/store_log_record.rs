//! libFuzzer for the target `store_log_record` of nori-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nori_fuzz::run("store_log_record", data));
