//! Separators and searches against sorted lists, and indexes that do not add up.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::block::BlockBuilder;
use nori_env::Rng;
use nori_testkit::{KeyGen, run_seeds};
use nori_types::put_varint;

#[test]
fn separators_are_short_and_lie_between() {
    let cases: [(&[u8], &[u8], &[u8]); 9] = [
        (b"apple pie", b"banana", b"b"),
        (b"apple", b"apple pie", b"apple"),
        (b"", b"a", b""),
        (b"abc", b"abe", b"abc"),
        (b"abc1", b"abe", b"abd"),
        (b"abcd", b"abd", b"abce"),
        (b"a\xff\xff\xff1", b"b", b"a\xff\xff\xff1"),
        (b"a\xff\xfe\xff1", b"b", b"a\xff\xff"),
        (b"a1", b"b1", b"b"),
    ];
    let mut out = Vec::new();
    for (last, next, expected) in cases {
        shortest_separator(last, next, &mut out);
        assert!(last <= &out[..] && &out[..] < next, "{last:?} {out:?} {next:?}");
        assert!(out.len() <= expected.len(), "{last:?} {next:?}: {out:?}");
    }
}

#[test]
fn random_separators_lie_between_and_are_never_longer() {
    let mut rng = Rng::new(7);
    let mut keys = KeyGen::new(&mut rng, 60);
    let mut out = Vec::new();
    for _ in 0..20_000 {
        let mut pair = [keys.near(&mut rng), keys.near(&mut rng)];
        pair.sort();
        let [last, next] = pair;
        if last < next {
            shortest_separator(&last, &next, &mut out);
            assert!(last <= out && out < next && out.len() <= last.len(), "{last:?} {next:?}");
        }
    }
}

fn index_of(separators: &[(Vec<u8>, Mark)], block_bytes: u64) -> Vec<u8> {
    let mut builder = BlockBuilder::new(1);
    for (key, mark) in separators {
        let mut value = Vec::new();
        put_varint(&mut value, block_bytes);
        builder.add(key, *mark, &value);
    }
    builder.finish().to_vec()
}

#[test]
fn searches_agree_with_a_list_of_separators() {
    run_seeds("-p nori-sstable --lib searches_agree", 200, |seed| {
        let mut rng = Rng::new(seed);
        let mut keys = KeyGen::new(&mut rng, 40);
        let mut separators: Vec<(Vec<u8>, Mark)> =
            (0..1 + rng.index(60)).map(|_| (keys.next(&mut rng), Mark(rng.below(3) * 9))).collect();
        separators.sort_by(|a, b| order((&a.0, a.1), (&b.0, b.1)));
        separators.dedup();
        let end = separators.len() as u64 * 105;
        let index = Index::parse(index_of(&separators, 100).into(), end).unwrap();
        assert_eq!(index.len(), separators.len());
        for _ in 0..100 {
            let (key, mark) = (keys.near(&mut rng), Mark(rng.below(20)));
            let expected =
                separators.partition_point(|s| order((&s.0, s.1), (&key, mark)) == Ordering::Less);
            assert_eq!(index.find((&key, mark)), expected, "{key:?}");
        }
        let i = rng.index(separators.len());
        assert_eq!(index.handle(i), Handle { offset: i as u64 * 105, bytes: 100 });
        assert_eq!(index.offset(separators.len()), end);
    });
}

#[test]
fn indexes_that_do_not_add_up_or_ascend_are_damage() {
    let key = |k: &str| (k.as_bytes().to_vec(), Mark::BEHIND);
    let good = index_of(&[key("a"), key("b")], 100);
    assert!(Index::parse(good.clone().into(), 210).is_ok());
    for end in [0, 105, 209, 211, u64::MAX] {
        assert!(Index::parse(good.clone().into(), end).is_err(), "{end}");
    }
    for wrong in [[key("b"), key("a")], [key("a"), key("a")]] {
        assert!(Index::parse(index_of(&wrong, 100).into(), 210).is_err());
    }
    let huge = index_of(&[key("a"), key("b")], u64::MAX);
    assert!(Index::parse(huge.into(), u64::MAX).is_err());
    let mut rng = Rng::new(3);
    for _ in 0..20_000 {
        let mut bad = good.clone();
        for _ in 0..1 + rng.index(3) {
            let at = rng.index(bad.len());
            bad[at] = rng.below(256) as u8;
        }
        if let Ok(index) = Index::parse(bad.into(), 210) {
            assert!(index.find((b"aa", Mark(9))) <= index.len());
            (0..index.len()).for_each(|i| assert!(index.handle(i).end() <= Some(210)));
        }
    }
}
