//! A write-ahead log: salted records, durable positions, group append, replay.
