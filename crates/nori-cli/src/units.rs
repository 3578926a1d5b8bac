//! Numbers as people read them.

use std::time::Duration;

const STEPS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A size: "12.3 MiB"; below 1 KiB "17 B".
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut step = 0;
    // What would print as 1024.0 belongs to the next step.
    while value >= 1023.95 && step + 1 < STEPS.len() {
        value /= 1024.0;
        step += 1;
    }
    format!("{value:.1} {}", STEPS[step])
}

/// Bytes per second.
pub(crate) fn bytes_rate(amount: u64, seconds: f64) -> String {
    format!("{}/s", bytes(rate(amount, seconds) as u64))
}

/// Things per second; never infinite.
pub(crate) fn rate(amount: u64, seconds: f64) -> f64 {
    amount as f64 / seconds.max(1e-9)
}

/// A number with separators: "1,234,567".
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time: "830 ns", "1.5 us", "12.3 ms", "4.2 s", "3 min 20 s".
pub(crate) fn time(time: Duration) -> String {
    let ns = time.as_nanos();
    let seconds = time.as_secs_f64();
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} us", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 100.0 => format!("{seconds:.1} s"),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// As [`time`], from nanoseconds.
pub(crate) fn nanoseconds(ns: u64) -> String {
    time(Duration::from_nanos(ns))
}

/// "1 file", "2 files".
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (12_897_484, "12.3 MiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (n, text) in cases {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn counts_and_times() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
        let cases =
            [(830, "830 ns"), (1_500, "1.5 us"), (12_300_000, "12.3 ms"), (4_200_000_000, "4.2 s")];
        for (ns, text) in cases {
            assert_eq!(nanoseconds(ns), text);
        }
        assert_eq!(time(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(bytes_rate(10, 0.0), "9.3 GiB/s");
    }
}
