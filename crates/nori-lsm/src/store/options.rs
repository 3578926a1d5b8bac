//! What the options of a store are to the crates below.

use crate::config::Config;
use nori_wal::WalOptions;

pub(crate) fn wal_options(config: &Config) -> WalOptions {
    let memtable = config.memtable_bytes as u64;
    WalOptions {
        grow_bytes: (memtable / 16).clamp(4096, 1 << 20),
        spares_max: config.max_sealed,
        spare_bytes_max: memtable.saturating_mul(4),
        retained_bytes: config.wal_retention_bytes,
    }
}

pub(crate) fn table_options(config: &Config) -> nori_sstable::TableOptions {
    nori_sstable::TableOptions {
        block_bytes: config.block_bytes,
        compression: match config.compression {
            crate::Compression::None => nori_sstable::Compression::None,
            crate::Compression::Lz4 => nori_sstable::Compression::Lz4,
        },
        bloom_bits_per_key: config.bloom_bits_per_key,
        ..nori_sstable::TableOptions::default()
    }
}
