//! The books of a slot: what was written to it, rewritten in it and read from it.
//!
//! Every byte and count is booked for exactly one slot at the moment at which it is added to the
//! store's own counters. A slot that is cut hands out what it has, a slot that joins another gives
//! it everything: the books of all slots always add up to the store's counters.

use nori_types::Reader;
use serde::Serialize;

macro_rules! ledger {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened in a slot since the store was opened. A slot that was cut out of another
        /// took its share of the other's past with it. Over all slots the sums are the store's
        /// counters of these names.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct SlotLedger {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl SlotLedger {
            /// Adds another slot's books to these.
            pub(crate) fn absorb(&mut self, other: &SlotLedger) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }

            /// Appends the numbers, 8 bytes each.
            pub(crate) fn put(&self, out: &mut Vec<u8>) {
                $(out.extend_from_slice(&self.$name.to_le_bytes());)*
            }

            /// Reads what [`SlotLedger::put`] wrote.
            pub(crate) fn read(reader: &mut Reader<'_>) -> Option<SlotLedger> {
                Some(SlotLedger { $($name: reader.u64().ok()?,)* })
            }

            /// Splits off one of `parts` equal parts of what is here.
            pub(crate) fn split_off(&mut self, parts: u64) -> SlotLedger {
                let part = SlotLedger { $($name: self.$name / parts.max(1),)* };
                $(self.$name -= part.$name;)*
                part
            }
        }
    };
}

ledger! {
    /// Key and value bytes of the writes that were flushed.
    flushed_user_bytes,
    /// Bytes of tables that flushes wrote.
    flush_bytes,
    /// Merges done.
    compactions,
    /// Bytes of tables that merges read; estimated where a table serves several slots.
    compaction_bytes_read,
    /// Bytes of tables that merges wrote.
    compaction_bytes_written,
    /// Entries that merges dropped because no reader could see them.
    entries_dropped,
    /// Tombstones among them.
    tombstones_dropped,
    /// Point reads that had to look into runs.
    point_reads,
    /// Runs they looked into.
    runs_probed,
    /// Runs that the slot had at these reads, summed up.
    runs_visible,
    /// Scans that came through.
    scans,
}

impl SlotLedger {
    /// Bytes written by flushes and merges for each byte of user data that was flushed; 0 before
    /// any was.
    pub fn write_amplification(&self) -> f64 {
        let written = self.flush_bytes.saturating_add(self.compaction_bytes_written);
        ratio(written, self.flushed_user_bytes)
    }

    /// Sorted runs that a point read found in the slot on average, looked into or not.
    pub fn read_amplification(&self) -> f64 {
        ratio(self.runs_visible, self.point_reads)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Books may come from a file.
    #[test]
    fn absurd_numbers_are_survived() {
        let mut all = SlotLedger::read(&mut Reader::new(&[0xff; 88])).unwrap();
        all.absorb(&all.clone());
        assert!(all.write_amplification() > 0.0 && all.read_amplification() > 0.0);
        let part = all.split_off(0);
        assert_eq!((part.flush_bytes, all.flush_bytes), (u64::MAX, 0));
    }

    #[test]
    fn nothing_is_lost_when_books_are_split_and_joined() {
        let mut all =
            SlotLedger { flush_bytes: 10, scans: 1, point_reads: 7, ..Default::default() };
        let before = all;
        let mut parts: Vec<SlotLedger> = (2..=3).rev().map(|n| all.split_off(n)).collect();
        assert_eq!(parts[0].flush_bytes, 3);
        parts.iter_mut().for_each(|part| all.absorb(part));
        assert_eq!(all, before);
    }
}
