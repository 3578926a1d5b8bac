//! libFuzzer for the target `store_program` of nori-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nori_fuzz::run("store_program", data));
