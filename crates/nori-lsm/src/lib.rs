//! An embedded, ordered, durable key-value store with adaptive compaction.
