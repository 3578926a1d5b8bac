//! libFuzzer for the target `table_footer` of nori-fuzz.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nori_fuzz::run("table_footer", data));
