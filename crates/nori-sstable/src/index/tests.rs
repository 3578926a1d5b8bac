#![allow(clippy::unwrap_used)]
use super::*;

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
