//! The blanking of comments and strings, and the finding of items.

use super::{code_only, functions, test_only_lines};

#[track_caller]
fn blanked(source: &str, expected: &str) {
    assert_eq!(code_only(source), expected);
}

#[test]
fn comments_strings_and_characters_are_blanked_in_place() {
    blanked("a // b\nc", "a     \nc");
    blanked("a /* b /* c */ d */ e", "a                   e");
    blanked(r#"f("x\"y") + 1"#, "f(      ) + 1");
    blanked(r##"r#"a"b"# z"##, "         z");
    blanked("b\"x\" y", "     y");
    blanked("'{' + '\\n' + b'}' k", "    +      +      k");
}

#[test]
fn lifetimes_and_names_with_prefix_letters_stay() {
    blanked("fn f<'a>(x: &'a str) -> &'static str", "fn f<'a>(x: &'a str) -> &'static str");
    blanked("for r in bar { crc }", "for r in bar { crc }");
    blanked("r#type", "r#type");
}

#[test]
fn functions_end_at_their_brace() {
    let code =
        "fn a() {\n if x { y }\n}\nfn b(x: [u8; 3]) -> u8;\nimpl T { fn c() where A: B {\n} }";
    let found = functions(code);
    assert_eq!(found, [("a".to_owned(), 1, 3), ("c".to_owned(), 5, 6)]);
}

#[test]
fn test_items_are_found_to_their_end() {
    let code =
        "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod t;";
    assert_eq!(test_only_lines(code), [2..=5, 7..=8]);
}
