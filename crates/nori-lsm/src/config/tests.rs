//! Limits are enforced with a sentence each; options travel through serde.

use super::*;

#[test]
fn the_defaults_and_tiny_values_are_legal() {
    assert!(Config::default().validate().is_ok());
    let tiny = Config::default().memtable_bytes(4096).block_bytes(256).k_global(1).max_sealed(1);
    assert!(tiny.block_cache_bytes(0).bloom_bits_per_key(0.0).validate().is_ok());
}

#[test]
fn each_broken_rule_is_one_sentence() {
    let config = Config::default().memtable_bytes(1).k_global(0).bloom_bits_per_key(f64::NAN);
    let said = config.validate().unwrap_err().to_string();
    assert_eq!(said.matches('.').count(), 3, "{said}");
    for word in ["memtable_bytes", "k_global", "bloom_bits_per_key"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn guards_longer_than_a_key_are_refused() {
    let config = Config::default().initial_guards(vec![vec![0; nori_types::KEY_BYTES_MAX + 1]]);
    assert!(config.validate().is_err());
}
