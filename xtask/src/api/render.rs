//! Tokens as a person would write them, so that a listing reads like source.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The source text of a piece of syntax, on one line.
pub(super) fn source(syntax: &impl ToTokens) -> String {
    let mut words = Vec::new();
    collect(syntax.to_token_stream(), &mut words);
    let mut text = String::new();
    for (i, word) in words.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| words.get(i)).map_or("", String::as_str);
        if i > 0 && has_space_between(before, word) {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// Flattens groups and joins the characters of one operator and of a lifetime.
fn collect(tokens: TokenStream, words: &mut Vec<String>) {
    let mut joint = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                joint.push(punct.as_char());
                if punct.spacing() == Spacing::Alone {
                    words.push(std::mem::take(&mut joint));
                }
            }
            TokenTree::Group(group) => {
                flush(&mut joint, words);
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                push(words, open);
                collect(group.stream(), words);
                push(words, close);
            }
            other => {
                // The quote of a lifetime is joint with its name.
                let text = format!("{joint}{other}");
                joint.clear();
                words.push(text);
            }
        }
    }
    flush(&mut joint, words);
}

fn flush(joint: &mut String, words: &mut Vec<String>) {
    if !joint.is_empty() {
        words.push(std::mem::take(joint));
    }
}

fn push(words: &mut Vec<String>, word: &str) {
    if !word.is_empty() {
        words.push(word.to_owned());
    }
}

/// The spacing of rustfmt, near enough for signatures.
fn has_space_between(before: &str, after: &str) -> bool {
    let glued_before = ["(", "[", "&", "::", "<", "#", "*", "?", "!", "..", "..=", "."];
    let glued_after = [")", "]", ",", ";", ":", "::", ">", "<", "..", "..=", "."];
    if glued_before.contains(&before) || glued_after.contains(&after) {
        return false;
    }
    match after {
        // Arguments follow a name or its generics; a tuple follows anything else.
        "(" => before != ">" && (!is_name(before) || is_keyword(before)),
        "!" => !is_name(before),
        _ => true,
    }
}

fn is_name(word: &str) -> bool {
    word.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '\'')
}

/// Words that are followed by a type, not by arguments.
fn is_keyword(word: &str) -> bool {
    matches!(word, "mut" | "const" | "dyn" | "impl" | "as" | "in" | "where" | "for")
        || word.starts_with('\'')
}
