//! nori-backup by itself: two generations of a store, and the older one brought back.

use nori_backup::{BackupOptions, Backups, Result};
use nori_lsm::Lsm;

fn main() -> Result<()> {
    let dir = nori_lsm::example_dir("backup-alone");
    let (store_dir, target, restored_dir) =
        (dir.join("store"), dir.join("backups"), dir.join("new"));
    let store = Lsm::open(&store_dir)?;
    // ANCHOR: backup
    let backups = Backups::create(&target)?;
    for day in ["monday", "tuesday"] {
        store.put("day", day)?;
        let report = backups.backup(&store, &BackupOptions::default())?;
        println!("{day}: generation {}", report.generation.generation);
    }
    // ANCHOR_END: backup
    store.close()?;
    let oldest = backups.numbers()?[0];
    backups.restore(oldest, &restored_dir)?;
    let restored = Lsm::open(&restored_dir)?;
    let day = restored.get("day")?.unwrap_or_default();
    println!("restored generation {oldest}: it was {}", day.escape_ascii());
    restored.close()?;
    println!("all generations are whole: {}", backups.check()?.is_ok());
    #[allow(clippy::disallowed_methods)] // An example tidies up behind itself.
    std::fs::remove_dir_all(&dir).expect("the example's own directory can be removed");
    Ok(())
}
