//! Routing: guards of any bytes, made by any splits and joins, against a scan of the guards.

use bytes::Bytes;
use nori_manifest::Version;
use nori_types::KeyRange;

use crate::input::Input;

/// Guards at most.
const SLOTS_MAX: usize = 64;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let version = shaped(&mut input);
    let mut keys: Vec<Vec<u8>> = vec![Vec::new(), vec![0xff; 12]];
    for guard in version.guards().keys() {
        let below = guard.split_last().map_or(&[][..], |(_, head)| head);
        keys.extend([guard.to_vec(), below.to_vec(), [guard, &[0][..]].concat()]);
    }
    while !input.is_empty() && keys.len() < 512 {
        keys.push(input.piece().to_vec());
    }
    for key in &keys {
        agrees(&version, key);
    }
    for pair in keys.windows(2) {
        let (lo, hi) = (pair[0].clone(), Bytes::copy_from_slice(&pair[1]));
        reaches(&version, &KeyRange::new(lo, Some(hi)));
    }
}

/// A version after the splits and joins that the input asks for.
fn shaped(input: &mut Input<'_>) -> Version {
    let mut version = Version::new();
    for _ in 0..input.u8() {
        let next = match input.u8() % 4 {
            0 if version.slot_count() > 1 => {
                let left = usize::from(input.u8()) % (version.slot_count() - 1);
                let ids = version.slot(left).zip(version.slot(left + 1));
                ids.and_then(|(left, right)| version.edit_merge_slots(left.id, right.id).ok())
            }
            _ if version.slot_count() >= SLOTS_MAX => break,
            kept => {
                let guards = [Bytes::copy_from_slice(input.piece())];
                version.edit_split(&guards, kept == 1).ok()
            }
        };
        // What has no place is refused.
        if let Some(edit) = next {
            version = version.apply(&edit).expect("an edit made of a version applies to it");
            version.check().expect("splits and joins leave slots that cover all keys");
        }
    }
    version
}

fn agrees(version: &Version, key: &[u8]) {
    let naive = version.guards().keys().iter().rposition(|guard| &guard[..] <= key);
    let (index, slot) = version.route(key);
    assert_eq!(Some(index), naive, "{key:02x?}");
    assert!(slot.range.contains(key), "{key:02x?} lies in its slot");
}

/// A range reaches into the slots that hold one of its keys.
fn reaches(version: &Version, range: &KeyRange) {
    let found: Vec<usize> = version.slots_in(range).map(|(index, _)| index).collect();
    let holds = |index: &usize| {
        let slot = version.slot(*index);
        slot.is_some_and(|slot| !slot.range.intersection(range).is_empty())
    };
    let naive: Vec<usize> = (0..version.slot_count()).filter(holds).collect();
    if !range.is_empty() {
        assert_eq!(found, naive, "{range:?}");
    }
}

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    // A keyspace's id stands before each key.
    let program = |steps: &[&[u8]]| steps.concat();
    vec![
        ("one_slot", program(&[b"\x00", b"\x02\x00a\x03\x00bc"])),
        (
            "shared_beginning",
            program(&[
                b"\x04\x01\x05\x00same\x01\x06\x00same1\x02\x09\x00samesame\x03\x03\x00sa",
                b"\x07\x00same12",
            ]),
        ),
        (
            "equal_words",
            program(&[
                b"\x03\x01\x0a\x00aaaaaaaaa\x01\x0b\x00aaaaaaaaaa\x01\x0c\x00aaaaaaaaaab",
                b"\x0b\x00aaaaaaaaaa",
            ]),
        ),
        (
            "split_and_join",
            program(&[
                b"\x05\x01\x02\x00a\x01\x02\x00m\x01\x02\x01a\x00\x01\x00\x00",
                b"\x02\x00m",
            ]),
        ),
        (
            "zeros",
            program(&[
                b"\x03\x01\x02\x00\x00\x01\x03\x00\x00\x00\x01\x04\x00\x00\x00\x00",
                b"\x05\x00\x00\x00\x00\x00",
            ]),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_make_slots() {
        let slots = |bytes: &[u8]| shaped(&mut Input::new(bytes)).slot_count();
        let counts: Vec<usize> = seeds().iter().map(|(_, bytes)| slots(bytes)).collect();
        // A new version has two.
        assert_eq!(counts, [2, 6, 5, 4, 5]);
    }
}
