//! libFuzzer for the target `key_order` of nori-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nori_fuzz::run("key_order", data));
