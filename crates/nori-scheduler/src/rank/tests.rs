//! The rank rule by itself.
