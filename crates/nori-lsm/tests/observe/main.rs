//! What a store tells of itself is true.

#[path = "../support/small.rs"]
#[allow(dead_code)] // Each program takes what it needs.
mod small;

mod book;
mod events;
mod places;
mod times;

use nori_env::MemFs;
use nori_lsm::{Config, Lsm};
use small::{ROOT, config, fill, key, on};

fn open(disk: &MemFs, config: impl Fn(Config) -> Config) -> Lsm {
    Lsm::open_with(ROOT, config(small::config(on(disk)))).expect("opens")
}
