//! libFuzzer for the target `bloom_parse` of nori-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nori_fuzz::run("bloom_parse", data));
