//! What a store shows: everything that the writers, and nobody else, may have put there.

use crate::message::{Counts, WRITERS};
use crate::plan::{LAST, counter_key};
use nori_lsm::Lsm;
use std::collections::{BTreeMap, BTreeSet};

/// Content of the two keyspaces: whether it is "other", and the key.
pub(crate) type State = BTreeMap<(bool, Vec<u8>), Vec<u8>>;

/// What a batch says about itself in its writer's counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The run it is from.
    pub seed: u64,
    /// Its writer.
    pub writer: usize,
    /// Its number.
    pub number: u64,
    /// What was acknowledged to each writer before this batch was begun.
    pub before: Counts,
}

impl Stamp {
    /// As a value.
    pub fn encode(&self) -> Vec<u8> {
        let [a, b, c, d] = self.before;
        format!("{}:{}:{}:{a}:{b}:{c}:{d}", self.seed, self.writer, self.number).into_bytes()
    }

    /// `None` for a value that is none.
    pub fn decode(bytes: &[u8]) -> Option<Stamp> {
        let text = std::str::from_utf8(bytes).ok()?;
        let words: Vec<u64> = text.split(':').map(|w| w.parse().ok()).collect::<Option<_>>()?;
        let [seed, writer, number, a, b, c, d] = words[..] else { return None };
        let writer = usize::try_from(writer).ok().filter(|w| *w < WRITERS)?;
        Some(Stamp { seed, writer, number, before: [a, b, c, d] })
    }
}

/// What a store shows at one moment.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// All keys but the counters and those of the parent.
    pub(crate) state: State,
    /// The counters.
    pub(crate) stamps: [Option<Stamp>; WRITERS],
    /// The last batch of all.
    pub(crate) last: Option<Stamp>,
    /// What the parent wrote last.
    pub(crate) parent: Option<Vec<u8>>,
    /// The names of the keyspaces.
    pub(crate) keyspaces: BTreeSet<String>,
}

/// The key that the parent writes.
pub(crate) const PARENT: &[u8] = b"parent";

impl Found {
    /// Reads all of a store: forwards and backwards, and some keys alone, which must agree.
    ///
    /// # Errors
    /// What a read said, or how two reads differ.
    pub fn read(store: &Lsm) -> Result<Found, String> {
        let said = |e: nori_lsm::Error| format!("a read failed: {e}");
        let snapshot = store.snapshot();
        let mut found =
            Found { keyspaces: store.keyspaces().into_iter().collect(), ..Found::default() };
        let mut content = vec![(false, pairs(snapshot.iter())?, pairs(snapshot.iter().rev())?)];
        if found.keyspaces.contains("other") {
            let other = snapshot.keyspace("other").map_err(said)?;
            content.push((true, pairs(other.iter())?, pairs(other.iter().rev())?));
        }
        for (is_other, forwards, mut backwards) in content {
            backwards.reverse();
            if forwards != backwards {
                return Err(format!("forwards {} keys, backwards others", forwards.len()));
            }
            for (at, (key, value)) in forwards.into_iter().enumerate() {
                if at % 8 == 0 && !is_other {
                    let alone = store.get(&key).map_err(said)?;
                    if alone.as_deref() != Some(&value[..]) {
                        return Err(format!("get {} differs from a scan", key.escape_ascii()));
                    }
                }
                found.take(is_other, key, value)?;
            }
        }
        for name in found.keyspaces.iter().filter(|name| name.starts_with("tmp")) {
            for (key, value) in pairs(snapshot.keyspace(name).map_err(said)?.iter())? {
                if key != value {
                    return Err(format!("{name} holds {}", key.escape_ascii()));
                }
            }
        }
        Ok(found)
    }

    fn take(&mut self, is_other: bool, key: Vec<u8>, value: Vec<u8>) -> Result<(), String> {
        if is_other {
            self.state.insert((true, key), value);
            return Ok(());
        }
        if key == PARENT {
            self.parent = Some(value);
            return Ok(());
        }
        let counter = (0..WRITERS).find(|&w| key == counter_key(w));
        if counter.is_none() && key != LAST {
            self.state.insert((false, key), value);
            return Ok(());
        }
        let stamp = Stamp::decode(&value)
            .filter(|stamp| counter.is_none_or(|writer| stamp.writer == writer))
            .ok_or_else(|| format!("{} holds no stamp", key.escape_ascii()))?;
        match counter {
            Some(writer) => self.stamps[writer] = Some(stamp),
            None => self.last = Some(stamp),
        }
        Ok(())
    }

    /// The number of each writer's last batch; 0 before its first.
    pub fn counters(&self) -> Counts {
        let number = |writer: usize| self.stamps[writer].as_ref().map_or(0, |stamp| stamp.number);
        std::array::from_fn(number)
    }
}

fn pairs(
    iter: impl Iterator<Item = nori_lsm::Result<(impl AsRef<[u8]>, impl AsRef<[u8]>)>>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, String> {
    let owned = |item: nori_lsm::Result<(_, _)>| {
        let (key, value) = item.map_err(|e| format!("a scan failed: {e}"))?;
        Ok((bytes_of(key), bytes_of(value)))
    };
    iter.map(owned).collect()
}

fn bytes_of(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    bytes.as_ref().to_vec()
}
