//! The rules of `tidy`, one function each: text in, findings out.

use std::ops::RangeInclusive;

use crate::rust_text::{code_only, functions, is_word, line_of, test_only_lines};

const LINES_MAX: usize = 420;
const LINES_MAX_IN_TESTS: usize = 700;
const COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 80;

/// How far above an `unsafe` its reason may begin.
const REASON_LINES_MAX: usize = 12;

/// Words for work left undone. Written in two halves, so that this file passes its own rule.
const LEFTOVER_WORDS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const LEFTOVER_MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// Names of papers that are not part of the project.
const FOREIGN_WORDS: &[&str] =
    &[concat!("../", "shared"), concat!("DESIGN", ".md"), concat!("POLICY", ".md")];

/// What git writes where two sides changed the same lines.
const MERGE_MARKS: &[&str] = &[concat!("<<<<", "<<< "), concat!(">>>>", ">>> ")];

/// One Rust file under the rules.
pub(super) struct SourceFile<'a> {
    name: &'a str,
    text: &'a str,
    /// The text without comments and strings.
    code: String,
    /// Whether the whole file is a test, an example or a bench.
    is_test: bool,
    test_lines: Vec<RangeInclusive<usize>>,
}

impl<'a> SourceFile<'a> {
    /// `is_test`: the file is a module that exists only in tests.
    pub(super) fn new(name: &'a str, text: &'a str, is_test: bool) -> SourceFile<'a> {
        let code = code_only(text);
        let test_lines = test_only_lines(&code);
        let parts = || name.split('/');
        let is_test = is_test
            || parts().any(|part| matches!(part, "tests" | "examples" | "benches"))
            || parts().next_back().is_some_and(|file| file.ends_with("tests.rs"));
        SourceFile { name, text, code, is_test, test_lines }
    }

    /// Every rule, in the order of the list in the module above.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.opening());
        all.extend(self.length());
        all.extend(self.columns());
        all.extend(self.long_functions());
        all.extend(self.unexplained_unsafe());
        all.extend(self.leftovers());
        all.extend(self.unwraps());
        all
    }

    fn opening(&self) -> Option<String> {
        let opens = self.text.starts_with("//!");
        (!opens).then(|| format!("{}:1: a file opens with `//!` and says what it is", self.name))
    }

    fn length(&self) -> Option<String> {
        let max = if self.is_test { LINES_MAX_IN_TESTS } else { LINES_MAX };
        let lines = self.text.lines().count();
        (lines > max).then(|| {
            format!(
                "{}: {lines} lines, at most {max}; split it: a file is one structure or one \
                 algorithm",
                self.name
            )
        })
    }

    fn columns(&self) -> Vec<String> {
        let too_wide = |line: &&str| line.chars().count() > COLUMNS_MAX;
        let lines = self.text.lines().enumerate().filter(|(_, line)| too_wide(line));
        lines
            .map(|(i, _)| {
                format!("{}:{}: more than {COLUMNS_MAX} columns; wrap it", self.name, i + 1)
            })
            .collect()
    }

    fn long_functions(&self) -> Vec<String> {
        let is_long = |first: usize, last: usize| last + 1 - first > FUNCTION_LINES_MAX;
        functions(&self.code)
            .into_iter()
            .filter(|(_, first, last)| is_long(*first, *last) && !self.is_in_test(*first))
            .map(|(function, first, last)| {
                format!(
                    "{}:{first}: fn {function} has {} lines, at most {FUNCTION_LINES_MAX}; a \
                     function fits on a screen",
                    self.name,
                    last + 1 - first
                )
            })
            .collect()
    }

    /// Blocks and impls; an `unsafe fn` and an `unsafe trait` are the other side of the contract
    /// and carry a `# Safety` section, which clippy asks for.
    fn unexplained_unsafe(&self) -> Vec<String> {
        let mut found = Vec::new();
        for at in words(&self.code, "unsafe") {
            let rest = self.code[at + "unsafe".len()..].trim_start();
            let line = line_of(&self.code, at);
            if (rest.starts_with('{') || rest.starts_with("impl")) && !self.has_reason(line) {
                found.push(format!(
                    "{}:{line}: unsafe without a `// SAFETY:` above it that names the invariant",
                    self.name
                ));
            }
        }
        found
    }

    /// Whether a `// SAFETY:` stands in the statement of this line or in the comment above it.
    fn has_reason(&self, line: usize) -> bool {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut in_statement = true;
        for i in (0..line).rev().take(REASON_LINES_MAX) {
            let text = lines[i].trim();
            if text.contains("// SAFETY:") {
                return true;
            }
            let is_comment = text.starts_with("//") || text.starts_with("#[");
            let ends = text.ends_with(';') || text.ends_with('}') || text.is_empty();
            if i + 1 != line && !is_comment {
                // A line of the statement that the block belongs to, or the end of the search.
                in_statement &= !ends && !text.ends_with('{');
                if !in_statement {
                    return false;
                }
            }
        }
        false
    }

    fn leftovers(&self) -> Vec<String> {
        let in_text = LEFTOVER_WORDS.iter().map(|word| (self.text, word));
        let in_code = LEFTOVER_MACROS.iter().map(|word| (self.code.as_str(), word));
        let mut found = Vec::new();
        for (text, word) in in_text.chain(in_code) {
            for at in words(text, word) {
                found.push(format!(
                    "{}:{}: {word}; finish it or file it where work is planned",
                    self.name,
                    line_of(text, at)
                ));
            }
        }
        found
    }

    fn unwraps(&self) -> Vec<String> {
        let places = self.code.match_indices(".unwrap()").map(|(at, _)| line_of(&self.code, at));
        places
            .filter(|&line| !self.is_in_test(line))
            .map(|line| {
                format!(
                    "{}:{line}: .unwrap() outside of tests; return an error, or `expect` with \
                     the invariant in words",
                    self.name
                )
            })
            .collect()
    }

    fn is_in_test(&self, line: usize) -> bool {
        self.is_test || self.test_lines.iter().any(|range| range.contains(&line))
    }
}

/// Whether a file declares `mod name;` for tests only.
pub(super) fn declares_test_module(text: &str, name: &str) -> bool {
    let code = code_only(text);
    let tests = test_only_lines(&code);
    code.match_indices(&format!("mod {name};")).any(|(at, _)| {
        let line = line_of(&code, at);
        tests.iter().any(|range| range.contains(&line))
    })
}

/// Rule 9, for text files of any kind.
pub(super) fn foreign_words(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in FOREIGN_WORDS {
        for (at, _) in text.match_indices(word) {
            found.push(format!(
                "{name}:{}: names {word}, which is not part of the project; say the thing itself",
                line_of(text, at)
            ));
        }
    }
    found
}

/// Rule 11, for text files of any kind: what a merge left behind.
pub(super) fn merge_marks(name: &str, text: &str) -> Vec<String> {
    let is_mark = |line: &str| MERGE_MARKS.iter().any(|mark| line.starts_with(mark));
    let lines = text.lines().enumerate().filter(|(_, line)| is_mark(line));
    lines
        .map(|(i, _)| format!("{name}:{}: a mark of a merge; choose a side, or both", i + 1))
        .collect()
}

/// Where `word` stands by itself, not as a part of a longer name.
fn words(text: &str, word: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let stands_alone = |at: usize| {
        let before = at == 0 || !is_word(bytes[at - 1]);
        let after = bytes.get(at + word.len()).is_none_or(|&byte| !is_word(byte));
        before && (after || word.ends_with('!'))
    };
    text.match_indices(word).map(|(at, _)| at).filter(|&at| stands_alone(at)).collect()
}
