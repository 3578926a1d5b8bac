//! Random programs, oracles and byte surgery for the tests of the nori crates.
