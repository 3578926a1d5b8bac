//! A concurrent ordered write buffer and its seal gate.
