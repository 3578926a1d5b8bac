//! Filters from any bytes, and filters of any keys.

use nori_bloom::{Filter, FilterBuilder, hash};

use crate::input::Input;

/// Hashes that are asked of whatever parses.
const QUESTIONS: [u64; 5] = [0, 1, u64::MAX, 0x0123_4567_89ab_cdef, 1 << 63];

pub(crate) fn run(data: &[u8]) {
    if let Ok(filter) = Filter::parse(data) {
        for question in QUESTIONS {
            let answer = filter.may_contain(question);
            assert_eq!(answer, filter.may_contain(question), "an answer does not change");
        }
    }

    // The same bytes as a list of keys: a filter never denies a key that was added.
    let mut input = Input::new(data);
    let bits_per_key = f64::from(input.u8() % 32);
    let mut keys = Vec::new();
    let mut builder = FilterBuilder::new(bits_per_key);
    while !input.is_empty() {
        let key = input.piece();
        builder.add(hash(key));
        keys.push(key);
    }
    let filter = Filter::parse(&builder.finish()).expect("what the builder wrote parses");
    for key in keys {
        assert!(filter.may_contain(hash(key)), "a key that was added is denied");
    }
}

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let filter = |keys: u64, bits_per_key: f64| {
        let mut builder = FilterBuilder::new(bits_per_key);
        for key in 0..keys {
            builder.add(hash(&key.to_le_bytes()));
        }
        builder.finish()
    };
    vec![
        ("empty", Vec::new()),
        ("no_keys", filter(0, 10.0)),
        ("one_key", filter(1, 10.0)),
        ("hundred_keys", filter(100, 10.0)),
        ("few_bits", filter(300, 2.0)),
        ("list_of_keys", b"\x0a\x04plum\x03fig\x00\x04plum".to_vec()),
    ]
}
