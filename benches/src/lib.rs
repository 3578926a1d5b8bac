//! Benchmarks of nori.
