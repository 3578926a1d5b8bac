//! libFuzzer for the target `manifest_record` of nori-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nori_fuzz::run("manifest_record", data));
