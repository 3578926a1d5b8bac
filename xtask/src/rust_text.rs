//! Rust source as text: what is code, what is comment, and where items begin and end.
//!
//! Not a parser. The rules of `tidy` need only to know that a word stands in code and how far a
//! pair of braces reaches, and they must also work on a file that does not compile.

use std::ops::RangeInclusive;

#[cfg(test)]
mod tests;

/// The same text with comments and the insides of strings and characters blanked by spaces.
/// Lines and columns stay where they are.
pub(crate) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped_until(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// The end of the comment, string or character that begins at `at`; `at` itself if none does.
fn skipped_until(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => line_end(chars, at),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at),
        'r' | 'b' | 'c' if !is_word_before(chars, at) => prefixed_end(chars, at),
        '\'' => character_end(chars, at),
        _ => at,
    }
}

fn is_word_before(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length)
}

/// Block comments nest.
fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0usize;
    let mut i = at;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// `r"..."`, `r#"..."#`, `b"..."`, `br"..."`, `c"..."`, `b'x'`; else `at`.
fn prefixed_end(chars: &[char], at: usize) -> usize {
    let mut i = at;
    while matches!(chars.get(i), Some('b' | 'c' | 'r')) && i < at + 2 {
        i += 1;
    }
    let raw = chars[i - 1] == 'r';
    let hashes = chars[i..].iter().take_while(|&&c| c == '#').count();
    match chars.get(i + hashes) {
        Some('"') if raw => raw_string_end(chars, i + hashes, hashes),
        Some('"') if hashes == 0 => string_end(chars, i),
        Some('\'') if hashes == 0 && !raw => character_end(chars, i).max(at),
        _ => at,
    }
}

fn raw_string_end(chars: &[char], quote: usize, hashes: usize) -> usize {
    let mut i = quote + 1;
    while i < chars.len() {
        let closing = chars[i + 1..].iter().take_while(|&&c| c == '#').count();
        if chars[i] == '"' && closing >= hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    chars.len()
}

/// `'x'` and `'\n'` end after the second quote; a lifetime is no character and gives `at`.
fn character_end(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        let rest = chars.iter().enumerate().skip(at + 3).take(12);
        return rest.filter(|(_, c)| **c == '\'').map(|(i, _)| i + 1).next().unwrap_or(at);
    }
    if chars.get(at + 2) == Some(&'\'') { at + 3 } else { at }
}

/// The positions (1-based lines) of items that exist only in tests: what follows a
/// `#[cfg(test)]`, up to its `;` or closing brace.
pub(crate) fn test_only_lines(code: &str) -> Vec<RangeInclusive<usize>> {
    let mut ranges = Vec::new();
    let marks = ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[cfg(any(test"];
    for mark in marks {
        for (at, _) in code.match_indices(mark) {
            let from = code[at..].find(']').map_or(code.len(), |i| at + i + 1);
            let end = item_end(code, from);
            ranges.push(line_of(code, at)..=line_of(code, end));
        }
    }
    ranges
}

/// Functions with a body: name, first line, last line.
pub(crate) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_word = at == 0 || !is_word(code.as_bytes()[at - 1]);
        let name: String =
            code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !starts_word || name.is_empty() {
            continue;
        }
        let end = item_end(code, at);
        if code.as_bytes().get(end) == Some(&b'}') {
            found.push((name, line_of(code, at), line_of(code, end)));
        }
    }
    found
}

/// The byte where the item that begins at `from` ends: its `;` outside of all brackets, or the
/// brace that closes its first one.
fn item_end(code: &str, from: usize) -> usize {
    let mut brackets = 0i64;
    let mut braces = 0i64;
    for (i, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces <= 0 {
                    return i;
                }
            }
            b';' if brackets <= 0 && braces == 0 => return i,
            _ => {}
        }
    }
    code.len().saturating_sub(1)
}

/// The 1-based line of a byte position.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|&&b| b == b'\n').count() + 1
}

/// Whether a byte can be part of a name.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
