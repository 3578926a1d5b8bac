//! Half-open ranges of user keys.

use bytes::Bytes;
use std::fmt;

/// The smallest key above `key`.
pub fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    Bytes::from(next)
}

/// The keys `lo <= key < hi`; without `hi`, all from `lo`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub lo: Bytes,
    /// The end, exclusive; `None`: there is none.
    pub hi: Option<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { lo: Bytes::new(), hi: None }
    }

    /// The keys from `lo` up to, not including, `hi`.
    pub fn new(lo: impl Into<Bytes>, hi: Option<Bytes>) -> KeyRange {
        KeyRange { lo: lo.into(), hi }
    }

    /// Whether a key lies inside.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.lo <= key && self.is_below_end(key)
    }

    /// Whether a key lies before the end.
    pub fn is_below_end(&self, key: &[u8]) -> bool {
        self.hi.as_ref().is_none_or(|hi| key < &hi[..])
    }

    /// Whether no key lies inside.
    pub fn is_empty(&self) -> bool {
        !self.is_below_end(&self.lo)
    }

    /// Whether some key lies in both.
    pub fn overlaps(&self, other: &KeyRange) -> bool {
        let lo = (&self.lo).max(&other.lo);
        self.is_below_end(lo) && other.is_below_end(lo)
    }

    /// Whether every key from `lo` to `hi` lies in the other one as well.
    pub fn is_within(&self, other: &KeyRange) -> bool {
        let ends = match (&self.hi, &other.hi) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(hi), Some(other)) => hi <= other,
        };
        ends && other.lo <= self.lo
    }

    /// The keys in both.
    pub fn intersection(&self, other: &KeyRange) -> KeyRange {
        let lo = self.lo.clone().max(other.lo.clone());
        let hi = match (&self.hi, &other.hi) {
            (Some(a), Some(b)) => Some(a.clone().min(b.clone())),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        KeyRange { lo, hi }
    }
}

impl fmt::Debug for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, ", self.lo.escape_ascii())?;
        match &self.hi {
            Some(hi) => write!(f, "{})", hi.escape_ascii()),
            None => f.write_str("..)"),
        }
    }
}

/// The shortest key above `left` and not above `right`, which is the larger: a guard between them.
pub fn separator(left: &[u8], right: &[u8]) -> Bytes {
    let common = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    Bytes::copy_from_slice(right.get(..=common).unwrap_or(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(lo: &'static str, hi: Option<&'static str>) -> KeyRange {
        KeyRange::new(lo, hi.map(Bytes::from))
    }

    #[test]
    fn ranges_are_half_open() {
        let r = range("b", Some("d"));
        assert_eq!(
            [&b"a"[..], b"b", b"c\xff", b"d"].map(|k| r.contains(k)),
            [false, true, true, false]
        );
        assert!(range("b", Some("b")).is_empty() && range("c", Some("b")).is_empty());
        assert!(!KeyRange::all().is_empty());
    }

    #[test]
    fn overlap_and_inclusion_are_what_intersections_say() {
        let ends = ["", "a", "b", "c"];
        let his = ["a", "b", "c"].map(Some).into_iter().chain([None]);
        let all: Vec<KeyRange> = his.flat_map(|hi| ends.map(|lo| range(lo, hi))).collect();
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            let both = a.intersection(b);
            assert_eq!(a.overlaps(b), !both.is_empty(), "{a:?} {b:?}");
            assert_eq!(a.is_within(b), both == *a, "{a:?} {b:?}");
        }
    }

    #[test]
    fn intersections_hold_what_both_hold() {
        let both = range("b", Some("f")).intersection(&range("d", None));
        assert_eq!(both, range("d", Some("f")));
        assert!(range("a", Some("b")).intersection(&range("b", None)).is_empty());
    }

    #[test]
    fn nothing_lies_between_a_key_and_its_successor() {
        assert_eq!(&successor(b"a")[..], b"a\0");
        assert_eq!(&successor(b"")[..], b"\0");
    }

    #[test]
    fn a_separator_is_short_and_stands_between() {
        let cases =
            [("a", "b", "b"), ("abc", "abd", "abd"), ("ab", "abc", "abc"), ("", "xyz", "x")];
        for (left, right, expected) in cases {
            let found = separator(left.as_bytes(), right.as_bytes());
            assert_eq!(found, expected);
            assert!(left.as_bytes() < &found[..] && &found[..] <= right.as_bytes());
        }
    }
}
