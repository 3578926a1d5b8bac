//! The families of a store's files.

use super::{Family, Kind, Value};
use crate::metrics::DiskInfo;

impl DiskInfo {
    pub(crate) fn families(&self) -> Vec<Family> {
        let DiskInfo {
            tables,
            tables_bytes,
            tables_other,
            tables_other_bytes,
            wal_live,
            wal_live_bytes,
            wal_retained,
            wal_retained_bytes,
            wal_spare,
            wal_spare_bytes,
            manifest_bytes,
            heat_bytes,
            lost,
            lost_bytes,
            other_bytes,
            total_bytes: _,
            free_bytes,
        } = *self;
        let files = [
            ("tables", tables),
            ("tables_other", tables_other),
            ("wal_live", wal_live),
            ("wal_retained", wal_retained),
            ("wal_spare", wal_spare),
            ("lost", lost),
        ];
        let bytes = [
            ("tables", tables_bytes),
            ("tables_other", tables_other_bytes),
            ("wal_live", wal_live_bytes),
            ("wal_retained", wal_retained_bytes),
            ("wal_spare", wal_spare_bytes),
            ("manifest", manifest_bytes),
            ("heat", heat_bytes),
            ("lost", lost_bytes),
            ("other", other_bytes),
        ];
        let values = |(of, n)| (of, Value::Integer(n));
        let (files, bytes) = (files.map(values), bytes.map(values));
        let help = "Bytes of files by use; the sum is all of them.";
        vec![
            Family::by("nori_disk_files", Kind::Gauge, "Files by use.", "use", files),
            Family::by("nori_disk_bytes", Kind::Gauge, help, "use", bytes),
            Family::gauge("nori_disk_free_bytes", "Free on the file system.", free_bytes),
        ]
    }
}
