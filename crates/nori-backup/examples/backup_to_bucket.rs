//! Backups in an object store. Here it is a directory; a service in its place changes one line.

use nori_backup::{BackupOptions, Backups};
use nori_lsm::Lsm;
use object_store::local::LocalFileSystem;
use std::error::Error;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = nori_lsm::example_dir("backup-to-bucket");
    let (store_dir, bucket_dir, restored_dir) =
        (dir.join("store"), dir.join("bucket"), dir.join("new"));
    #[allow(clippy::disallowed_methods)] // Stands for a bucket, which somebody has made.
    std::fs::create_dir_all(&bucket_dir)?;
    let store = Lsm::open(&store_dir)?;
    store.put("day", "monday")?;
    // ANCHOR: bucket
    // For S3: object_store's `AmazonS3Builder::from_env().with_bucket_name("...").build()?`.
    let bucket = LocalFileSystem::new_with_prefix(&bucket_dir)?.with_fsync(true);
    let backups = Backups::create_in_bucket(Arc::new(bucket), "backups/orders")?;
    let report = backups.backup(&store, &BackupOptions::default())?;
    println!("generation {}", report.generation.generation);
    // ANCHOR_END: bucket
    store.close()?;
    backups.restore(report.generation.generation, &restored_dir)?;
    let restored = Lsm::open(&restored_dir)?;
    let day = restored.get("day")?.unwrap_or_default();
    println!("restored: it was {}", day.escape_ascii());
    restored.close()?;
    #[allow(clippy::disallowed_methods)] // An example tidies up behind itself.
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}
