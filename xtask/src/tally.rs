//! Counting tests: reads the summary lines of nextest and of Rust's own test harness.

use std::fmt;

/// How many tests ran and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Adds up every summary line among `lines`.
    pub(crate) fn of(lines: &[String]) -> Tally {
        let mut sum = Tally::default();
        for line in lines {
            let line = line.trim_start();
            // nextest: "Summary [ 0.1s] 3 tests run: 2 passed (1 slow), 1 failed, 0 skipped"
            // cargo:   "test result: ok. 3 passed; 0 failed; 0 ignored; ..."
            if line.starts_with("Summary [") || line.starts_with("test result: ") {
                sum.add(Tally {
                    passed: count_before(line, "passed"),
                    failed: count_before(line, "failed") + count_before(line, "timed out"),
                    skipped: count_before(line, "skipped") + count_before(line, "ignored"),
                });
            }
        }
        sum
    }

    /// Adds another tally to this one.
    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Whether no test ran at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed + self.failed == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The number that stands before `word`, or 0.
fn count_before(line: &str, word: &str) -> u64 {
    let Some(at) = line.find(word) else { return 0 };
    let digits = line[..at].trim_end().rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[track_caller]
    fn check(line: &str, passed: u64, failed: u64, skipped: u64) {
        assert_eq!(Tally::of(&[line.to_owned()]), Tally { passed, failed, skipped });
    }

    #[test]
    fn reads_the_summaries_of_both_runners() {
        check("     Summary [   0.012s] 3 tests run: 3 passed, 0 skipped", 3, 0, 0);
        check(
            "     Summary [  61.0s] 9 tests run: 7 passed (1 slow), 2 failed, 4 skipped",
            7,
            2,
            4,
        );
        check("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered", 12, 0, 1);
        check("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured", 1, 2, 0);
        check("running 3 tests", 0, 0, 0);
    }
}
