//! The histogram beside a sorted list.

use super::*;

/// Numbers that are drawn alike in every run.
fn drawn(n: usize) -> Vec<u64> {
    let mut x = 0x9e37_79b9_7f4a_7c15u64;
    let draw = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        // Of all magnitudes up to the last one that is told apart.
        (x >> 8) & ((1 << (x % 38)) - 1)
    };
    (0..n).map(draw).collect()
}

#[test]
fn buckets_follow_each_other_without_a_gap() {
    let mut next = 0;
    for bucket in 0..BUCKETS {
        assert_eq!(bucket_of(next), bucket, "the first of bucket {bucket}");
        let end = end_of(bucket);
        assert_eq!(bucket_of(end), bucket, "the last of bucket {bucket}");
        assert!(end >= next && end - next <= next / 16, "{next} to {end}");
        next = end + 1;
    }
    assert_eq!(next, 1 << (TOP + 1));
    assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
}

#[test]
fn quantiles_and_buckets_agree_with_a_sorted_list() {
    let histogram = Histogram::default();
    let mut all = drawn(20_000);
    all.iter().for_each(|ns| histogram.add(*ns, 1));
    all.sort_unstable();
    let read = histogram.read();
    assert_eq!((read.count, read.max_ns), (20_000, all[19_999]));
    assert_eq!(read.sum_ns, all.iter().sum::<u64>());
    for (shown, at) in [(read.p50_ns, 10_000), (read.p99_ns, 19_800), (read.p999_ns, 19_980)] {
        let exact = all[at - 1];
        assert!(exact <= shown && shown <= exact + exact / 16, "{shown} for {exact}");
    }
    assert_eq!(read.buckets.len(), 29);
    for bucket in &read.buckets {
        let exact = all.iter().filter(|ns| **ns <= bucket.le_ns).count();
        assert_eq!(bucket.count, exact as u64, "up to {}", bucket.le_ns);
    }
}

#[test]
fn one_stands_for_several_and_none_is_nothing() {
    assert_eq!(Histogram::default().read().p999_ns, 0);
    let histogram = Histogram::default();
    histogram.add(300, 64);
    histogram.add(u64::MAX, 1);
    let read = histogram.read();
    assert_eq!((read.count, read.p50_ns, read.max_ns), (65, 303, u64::MAX));
    assert_eq!(read.buckets.last().map(|last| last.count), Some(64), "longer than all bounds");
}

#[test]
fn threads_lose_nothing_to_each_other() {
    let histogram = Histogram::default();
    let add = || (0..10_000).for_each(|ns| histogram.add(ns, 1));
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(add))));
    let read = histogram.read();
    assert_eq!((read.count, read.sum_ns), (40_000, 4 * 49_995_000));
}
