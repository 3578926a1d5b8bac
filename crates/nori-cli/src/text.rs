//! Bytes as people write them: text with escapes, or hex digits.
//!
//! 1. What [`show`] prints, [`parse`] reads back as the same bytes.
//! 2. Text stands for itself, but for `\\`; control characters and bytes that are no UTF-8 are
//!    `\xNN`.

use crate::failure::Failure;
use std::ffi::OsStr;
use std::fmt::Write;

/// The bytes that an argument stands for.
pub(crate) fn parse(arg: &OsStr, hex: bool) -> Result<Vec<u8>, Failure> {
    let bytes = arg.as_encoded_bytes();
    let parsed = if hex { parse_hex(bytes) } else { parse_text(bytes) };
    parsed.map_err(|what| Failure::Usage(format!("\"{}\": {what}", show(bytes, false))))
}

fn parse_text(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut parsed = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            parsed.push(byte);
            continue;
        }
        parsed.push(match rest.next() {
            Some(b'\\') => b'\\',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'x') => match (rest.next().and_then(digit), rest.next().and_then(digit)) {
                (Some(high), Some(low)) => (high << 4) | low,
                _ => return Err("\\x must be followed by two hex digits".into()),
            },
            _ => return Err("a backslash begins \\xNN, \\n, \\r, \\t, \\0, or is \\\\".into()),
        });
    }
    Ok(parsed)
}

fn parse_hex(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let pairs = bytes.chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or_else(|| "is no even number of hex digits".into())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Bytes in a form that can be read and given back.
pub(crate) fn show(bytes: &[u8], hex: bool) -> String {
    let mut shown = String::with_capacity(bytes.len());
    if hex {
        push_hex(&mut shown, "", bytes);
        return shown;
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                c if c.is_control() => {
                    push_hex(&mut shown, "\\x", c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                c => shown.push(c),
            }
        }
        push_hex(&mut shown, "\\x", chunk.invalid());
    }
    shown
}

fn push_hex(shown: &mut String, before: &str, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(shown, "{before}{byte:02x}");
    }
}

/// As [`show`], but no longer than is good to read; says how much there is.
pub(crate) fn show_short(bytes: &[u8], hex: bool, bytes_max: usize) -> String {
    if bytes.len() <= bytes_max {
        return show(bytes, hex);
    }
    let size = crate::units::bytes(bytes.len() as u64);
    format!("{}... ({size})", show(&bytes[..bytes_max], hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_str(text: &str, hex: bool) -> Result<Vec<u8>, Failure> {
        parse(OsStr::new(text), hex)
    }

    #[test]
    fn what_is_shown_reads_back() {
        let all: Vec<u8> = (0..=255).collect();
        let odd = "ключ \u{85} \\ \u{1f600}\n".as_bytes();
        for bytes in [&all[..], odd, b"", b"plain", b"\xff\xfe", "\u{10ffff}".as_bytes()] {
            for hex in [false, true] {
                let shown = show(bytes, hex);
                assert!(!shown.chars().any(char::is_control), "{shown:?}");
                assert_eq!(parse_str(&shown, hex).unwrap(), bytes, "{shown}");
            }
        }
    }

    #[test]
    fn escapes_are_read() {
        assert_eq!(parse_str(r"a\x00\xFf\\\n\r\t\0b", false).unwrap(), b"a\0\xff\\\n\r\t\0b");
        assert_eq!(parse_str("00fF", true).unwrap(), [0, 255]);
    }

    #[test]
    fn half_an_escape_is_refused() {
        for text in ["\\", "\\x", "\\x1", "\\xg0", "\\q", "a\\"] {
            assert!(matches!(parse_str(text, false), Err(Failure::Usage(_))), "{text}");
        }
        for text in ["0", "0g", "xyz", "é"] {
            assert!(matches!(parse_str(text, true), Err(Failure::Usage(_))), "{text}");
        }
    }

    #[test]
    fn long_values_are_cut_for_reading() {
        assert_eq!(show_short(b"abcd", false, 4), "abcd");
        assert_eq!(show_short(&[b'a'; 2048], false, 3), "aaa... (2.0 KiB)");
    }
}
