//! Whether a repair kept all that was left, and nothing else.

use crate::damage::Damage;
use crate::sample::{INTO, ROOT, Sample, Stored, config};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_lsm::{LostKey, Lsm, RepairReport};
use std::collections::{BTreeMap, BTreeSet};

/// Damages a copy of the sample, repairs it and compares.
pub(crate) fn judge(sample: &Sample, damage: &Damage) -> Result<RepairReport, String> {
    let disk = damage.done_to(sample);
    let before = contents(&disk);
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let repaired = Lsm::repair_with(ROOT, INTO, config(Arc::clone(&fs)));
    let mut after = contents(&disk);
    after.retain(|path, _| path.starts_with(ROOT));
    if after != before {
        let (before, after) = (before.keys(), after.keys());
        return Err(format!("the damaged store changed: {before:?}, {after:?}"));
    }
    let report = repaired.map_err(|e| format!("no repair: {e}"))?;
    if disk.files().iter().any(|(path, _)| !path.starts_with(ROOT) && !path.starts_with(INTO)) {
        return Err("a file was made beside both stores".to_string());
    }
    let store = Lsm::open_with(INTO, config(fs)).map_err(|e| format!("the new store: {e}"))?;
    let verified = store.verify().map_err(|e| format!("verify: {e}"))?;
    if !verified.is_ok() {
        return Err(format!("verify: {verified:?}"));
    }
    compare(sample, damage, Some(&report), &store)
        .map_err(|wrong| format!("{wrong}; {report:?}"))?;
    let found: u64 = store.keyspaces().iter().map(|n| count(&store, n)).sum();
    if found != report.keys {
        return Err(format!("{found} keys, {report:?}"));
    }
    Ok(report)
}

fn count(store: &Lsm, name: &str) -> u64 {
    store.keyspace(name).map_or(0, |space| space.iter().count() as u64)
}

fn contents(disk: &MemFs) -> BTreeMap<String, Vec<u8>> {
    let files = disk.files().into_iter();
    let files = files.filter(|(path, _)| path.starts_with(ROOT));
    files
        .map(|(path, _)| (path.display().to_string(), disk.read_file(&path).unwrap_or_default()))
        .collect()
}

pub(crate) fn compare(
    sample: &Sample,
    damage: &Damage,
    report: Option<&RepairReport>,
    store: &Lsm,
) -> Result<(), String> {
    let hurt = damage.hurt(sample);
    let knows_names = damage.has_manifest(sample);
    let mut ids: BTreeMap<String, u8> =
        sample.names.iter().map(|(id, name)| (name.clone(), *id)).collect();
    if !knows_names {
        // Names may be lost, and so may be the drop of a keyspace.
        ids.extend((1..4).map(|id| (format!("keyspace-{id}"), id)));
        ids.insert("gone".to_string(), 2);
    }
    let mut found: BTreeMap<Stored, Vec<u8>> = BTreeMap::new();
    for name in store.keyspaces() {
        let id = *ids.get(&name).ok_or_else(|| format!("a keyspace {name}"))?;
        let space = store.keyspace(&name).map_err(|e| e.to_string())?;
        for item in space.iter() {
            let (key, value) = item.map_err(|e| e.to_string())?;
            found.insert([&[id], &key[..]].concat(), value.to_vec());
        }
    }
    if knows_names && store.keyspaces().len() != sample.names.len() {
        return Err(format!("keyspaces {:?}", store.keyspaces()));
    }
    for (key, value) in &found {
        let written = sample.written.get(key).is_some_and(|values| values.contains(value));
        let lives = sample.whole.contains_key(key);
        let stood_in = report.is_some_and(|report| stood_in(report, key));
        let may_return = hurt.contains(key) || !knows_names || stood_in;
        if !written {
            return Err(format!("{} was never written so", key.escape_ascii()));
        }
        if !lives && !may_return {
            return Err(format!("{} is back", key.escape_ascii()));
        }
    }
    let doubtful = report.filter(|_| !knows_names).map_or(0, doubtful);
    missing(sample, &hurt, doubtful, &found)
}

/// Whether the report says that tables of old stood in for a lost one that held such keys.
fn stood_in(report: &RepairReport, key: &Stored) -> bool {
    let stored = |key: &LostKey| [&[key.keyspace_id as u8], &key.key[..]].concat();
    report.warnings.iter().any(|warning| warning.contains("in the place of lost ones"))
        && report.lost.iter().any(|lost| match (&lost.first_key, &lost.last_key) {
            (Some(first), Some(last)) => (stored(first)..=stored(last)).contains(key),
            _ => false,
        })
}

/// Of how many keys the report says that an older version may show.
fn doubtful(report: &RepairReport) -> usize {
    let count = |warning: &String| -> Option<usize> {
        let (count, _) = warning.strip_prefix("of ")?.split_once(" keys two versions")?;
        count.parse().ok()
    };
    report.warnings.iter().find_map(count).unwrap_or(0)
}

fn missing(
    sample: &Sample,
    hurt: &BTreeSet<Stored>,
    doubtful: usize,
    found: &BTreeMap<Stored, Vec<u8>>,
) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (key, value) in sample.whole.iter().filter(|(key, _)| !hurt.contains(*key)) {
        let shown = key.escape_ascii();
        match found.get(key) {
            None => wrong.push(format!("{shown} is missing")),
            Some(found) if found != value => wrong.push(format!("{shown} has an old value")),
            Some(_) => {}
        }
    }
    if wrong.len() <= doubtful { Ok(()) } else { Err(wrong.join(", ")) }
}
