//! How tables are written. Readers need none of it: the file says what it is.

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4: cheap to read, about half the size for text. A block that it would not shrink by an
    /// eighth is stored as it is.
    #[default]
    Lz4,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TableOptions {
    /// Bytes a data block aims at, before compression; 4096 unless set, 64 to 16 MiB. Larger
    /// blocks compress better and make a smaller index; smaller ones make point reads cheaper.
    pub block_bytes: usize,
    /// How blocks are compressed; LZ4 unless set. None if the processor is the bottleneck.
    pub compression: Compression,
    /// Filter bits a key; 10 unless set (about 1 % false positives), 0 for no filter.
    pub bloom_bits_per_key: f64,
    /// Entries that share one restart point; 8 unless set, at least 1. More make smaller blocks,
    /// fewer make point reads cheaper.
    pub restart_interval: usize,
}

impl Default for TableOptions {
    fn default() -> TableOptions {
        TableOptions {
            block_bytes: 4096,
            compression: Compression::Lz4,
            bloom_bits_per_key: 10.0,
            restart_interval: 8,
        }
    }
}
