//! The filter's bytes, compared with a committed file: hash, positions and header are a format.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use nori_bloom::{Filter, FilterBuilder, hash};
use std::fs;

#[test]
fn the_bytes_of_a_filter_do_not_change() {
    let mut builder = FilterBuilder::new(10.0);
    (0..100).for_each(|i| builder.add(hash(format!("key {i}").as_bytes())));
    let bytes = builder.finish();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/filter-v1.bin");
    if std::env::var_os("NORI_REWRITE").is_some() {
        fs::write(path, &bytes).unwrap();
    }
    let golden = fs::read(path).unwrap();
    assert!(bytes == golden, "the filter format changed; give it a new version");
    let filter = Filter::parse(&golden).unwrap();
    assert!((0..100).all(|i| filter.may_contain(hash(format!("key {i}").as_bytes()))));
}
