//! Files that hold a format to its bytes.

// Golden files lie beside the sources, outside any store.
#![allow(clippy::disallowed_methods)]

use std::path::Path;

/// How many bytes around a difference are shown.
const CONTEXT_BYTES: usize = 16;

/// Compares `actual` with the committed file `path` and panics at the first difference. With
/// `NORI_REWRITE=1` writes the file instead: review that diff as code, and give a changed format
/// a new version. Paths: `concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/...")`.
pub fn golden(path: impl AsRef<Path>, actual: &[u8]) {
    let rewrite = std::env::var_os("NORI_REWRITE").is_some_and(|v| v == "1");
    check(path.as_ref(), actual, rewrite);
}

/// As [`golden`], for text.
pub fn golden_text(path: impl AsRef<Path>, actual: &str) {
    golden(path, actual.as_bytes());
}

fn check(path: &Path, actual: &[u8], rewrite: bool) {
    let name = path.display();
    if rewrite {
        let parent = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).unwrap_or_else(|e| panic!("create {parent:?}: {e}"));
        std::fs::write(path, actual).unwrap_or_else(|e| panic!("write {name}: {e}"));
        return;
    }
    let expected = std::fs::read(path)
        .unwrap_or_else(|e| panic!("read {name}: {e}. NORI_REWRITE=1 makes the file."));
    if let Some(difference) = difference(&expected, actual) {
        panic!("{name}: {difference}. NORI_REWRITE=1 rewrites the file, if this is meant.");
    }
}

fn difference(expected: &[u8], actual: &[u8]) -> Option<String> {
    if expected == actual {
        return None;
    }
    let same = expected.iter().zip(actual).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let end = (same + CONTEXT_BYTES).min(bytes.len());
        bytes[same.saturating_sub(CONTEXT_BYTES)..end].escape_ascii().to_string()
    };
    let (e, a) = (expected.len(), actual.len());
    let (shown_e, shown_a) = (around(expected), around(actual));
    Some(format!("differs at {same}: expected ({e} bytes) \"{shown_e}\", is ({a}) \"{shown_a}\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::TempDir;
    use std::panic::catch_unwind;

    #[test]
    fn a_golden_file_is_written_once_and_then_held_to() {
        let dir = TempDir::new("golden");
        let path = dir.path().join("deep/file.bin");
        assert!(catch_unwind(|| check(&path, b"abc", false)).is_err());
        check(&path, b"abc", true);
        check(&path, b"abc", false);
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(catch_unwind(|| check(&path, other, false)).is_err(), "{other:?}");
        }
    }

    #[test]
    fn the_message_points_at_the_first_difference() {
        let text = difference(b"one two", b"one\xfftwo").unwrap();
        assert!(text.starts_with("differs at 3: ") && text.contains("one\\xfftwo"), "{text}");
    }
}
