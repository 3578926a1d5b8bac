//! The listing of small crates.

use std::path::Path;

use super::{listing, modules};

/// The listing of a crate called `c` with this `lib.rs`.
fn list(source: &str) -> String {
    let parsed = syn::parse_file(source).expect("the test's source parses");
    let root = modules::build(parsed.items, Path::new("/nowhere")).expect("no files are needed");
    listing::of(&root, "c")
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let listed = list(source);
    assert!(listed == expected, "listed:\n{listed}\nexpected:\n{expected}");
}

#[test]
fn signatures_read_like_source() {
    check(
        "pub fn f<'a, T: AsRef<[u8]> + ?Sized>(x: &'a mut T, y: [u8; 4]) -> Option<(u8, &'a str)> \
         where T: 'a { None }",
        "c::f: pub fn f<'a, T: AsRef<[u8]> + ?Sized>(x: &'a mut T, y: [u8; 4]) -> \
         Option<(u8, &'a str)> where T: 'a\n",
    );
    check(
        "pub fn g(f: &dyn Fn(u8) -> bool, x: Box<dyn Iterator<Item = u8> + Send>) {}",
        "c::g: pub fn g(f: &dyn Fn(u8) -> bool, x: Box<dyn Iterator<Item = u8> + Send>)\n",
    );
}

#[test]
fn a_type_lists_its_public_members_and_traits() {
    check(
        "#[derive(Clone, Debug)] pub struct S<T> { pub a: Vec<T>, b: u8 }
         impl<T> S<T> { pub const N: usize = 1; pub fn get(&self) -> &T { x } fn hidden(&self) {} }
         impl<T> fmt::Display for S<T> {}
         struct Private; impl Private { pub fn no(&self) {} }",
        "c::S: pub struct S<T>\n    impl Clone\n    impl Debug\n    \
         impl<T> fmt::Display for S<T>\n    private fields\n    pub a: Vec<T>\n    \
         pub const N: usize\n    pub fn get(&self) -> &T\n",
    );
}

#[test]
fn enums_and_traits_list_what_users_match_and_implement() {
    check(
        "#[non_exhaustive] pub enum E { A, B(u8), C { path: String } }
         pub trait T: Send { type Item: Copy; fn a(&self) -> Self::Item; fn b(&self) {} }",
        "c::E: #[non_exhaustive] pub enum E\n    A\n    B(u8)\n    C { path: String }\n\
         c::T: pub trait T: Send\n    fn a(&self) -> Self::Item\n    fn b(&self) (provided)\n    \
         type Item: Copy\n",
    );
}

#[test]
fn reexports_are_followed_to_the_item() {
    check(
        "mod a { pub use self::b::S; pub(crate) mod b { pub struct S; pub struct Unseen; } }
         pub use a::S; pub use a::b::S as Other;",
        "c::Other: pub struct S\nc::S: pub struct S\n",
    );
    check("mod a { pub fn f() {} fn g() {} } pub use a::*;", "c::f: pub fn f()\n");
    check("pub use bytes::Bytes;", "c::Bytes: pub use bytes::Bytes\n");
    check("pub mod m { pub const N: u8 = 1; }", "c::m: pub mod\nc::m::N: pub const N: u8\n");
}

#[test]
fn private_and_test_items_are_not_listed() {
    check("fn f() {} pub(crate) fn g() {} #[cfg(test)] pub fn h() {}", "");
    check("#[cfg(not(test))] pub fn f() {}", "c::f: #[cfg(not(test))] pub fn f()\n");
    check("mod a { pub fn f() {} }", "");
}

#[test]
fn a_changed_signature_changes_the_listing() {
    assert_ne!(list("pub fn f(x: u8) {}"), list("pub fn f(x: u16) {}"));
}
