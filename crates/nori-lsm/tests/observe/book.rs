//! The book's page on metrics beside what is written.

use crate::open;
use nori_env::MemFs;

const PAGE: &str = include_str!("../../../../docs/src/operations/metrics.md");

#[test]
fn the_book_lists_every_name() {
    let disk = MemFs::new(41);
    let store = open(&disk, |config| config);
    let text = store.metrics().to_prometheus() + &store.disk().expect("looks").to_prometheus();
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 60);
    let is_missing = |name: &&&str| !PAGE.contains(&format!("`{name}`"));
    assert_eq!(names.iter().filter(is_missing).collect::<Vec<_>>(), Vec::<&&str>::new());
}
