//! Cache-line-blocked bloom filters over bytes, one 64-bit hash per key.
