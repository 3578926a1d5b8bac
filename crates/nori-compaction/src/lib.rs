//! Merging sorted runs, and which versions survive.
