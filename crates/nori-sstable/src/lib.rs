//! Immutable sorted tables of keys and values, and their block cache.
