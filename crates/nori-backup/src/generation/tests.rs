//! Lists come back as they were written, and no damaged one is believed.

use super::*;
use nori_env::{FileSystem, OpenMode, Rng};

fn sample() -> Generation {
    let sum = |bytes, digest| Sum { bytes, digest };
    let file = |dir, name| SmallFile::new(dir, name).expect("a name of a store");
    let key = |id, number| TableKey { id, number: FileNumber(number) };
    Generation {
        number: 7,
        created_unix_ms: 1_764_362_000_123,
        sequence: 123_456,
        files: BTreeMap::from([
            (file("", "CURRENT"), sum(53, 1)),
            (file("", "MANIFEST-000009"), sum(4096, u128::MAX)),
            (file("wal", "000012.wal"), sum(64, 3)),
        ]),
        tables: BTreeMap::from([
            (key(0x0123_4567_89ab_cdef, 12), sum(4_194_304, 5)),
            (key(u64::MAX, 13), sum(1024, 6)),
        ]),
    }
}

fn decode(bytes: &[u8]) -> Result<Generation> {
    Generation::decode(bytes, 7, Path::new("000007.gen"))
}

#[test]
fn a_list_comes_back() {
    for list in [sample(), Generation { number: 7, ..Generation::default() }] {
        assert_eq!(decode(list.encode().as_bytes()).unwrap(), list);
    }
}

/// The bytes of a list are a promise: a change of them needs another version.
#[test]
fn the_golden_list_stays() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/list-v1.gen");
    nori_testkit::golden_text(path, &sample().encode());
    let file = nori_env::OsFs.open(Path::new(path), OpenMode::Read).unwrap();
    assert_eq!(decode(&file.read_all().unwrap()).unwrap(), sample());
}

#[test]
fn every_changed_byte_and_every_cut_is_found() {
    let good = sample().encode().into_bytes();
    for at in 0..good.len() {
        for xor in [1, 0x20, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= xor;
            let error = decode(&bad).expect_err("a changed byte");
            assert!(error.is_corruption() && error.to_string().contains("000007.gen"), "{error}");
        }
        assert!(decode(&good[..at]).is_err(), "cut at {at}");
    }
    assert!(decode(&[&good[..], b"\n"].concat()).is_err());
    assert!(Generation::decode(&good, 8, Path::new("x")).is_err(), "another's name");
}

#[test]
fn random_bytes_are_refused_without_a_panic() {
    let mut rng = Rng::new(7);
    let words = ["nori-backup 1\n", "file 5 ", "table ", "end 0 0 0 ", "generation 7\n", "\n"];
    for _ in 0..3000 {
        let mut bytes = Vec::new();
        for _ in 0..rng.below(12) {
            if rng.chance(60) {
                bytes.extend_from_slice(rng.pick(&words).as_bytes());
            } else {
                let mut some = vec![0; rng.index(9)];
                rng.fill(&mut some);
                bytes.extend_from_slice(&some);
            }
        }
        assert!(decode(&bytes).is_err());
    }
}

/// Closes a list's body with a last line that fits.
fn closed(body: &str) -> String {
    let sum = digest(format!("{body}end 0 0 0").as_bytes());
    format!("{body}end 0 0 0 {sum:032x}\n")
}

#[test]
fn lists_from_the_future_and_foreign_names_are_refused() {
    let head = "generation 7\ncreated 1\nsequence 1\n";
    let future = closed(&format!("nori-backup 2\n{head}"));
    assert!(matches!(decode(future.as_bytes()), Err(Error::FormatTooNew { found: 2, .. })));
    for name in ["../CURRENT", "/etc/passwd", "wal/../x", "sst/000001.sst", "wal/CURRENT", "LOCK"] {
        let line = format!("file 1 {:032x} {name}\n", 1);
        let error = decode(closed(&format!("nori-backup 1\n{head}{line}")).as_bytes());
        assert!(error.is_err_and(|e| e.is_corruption()), "{name}");
    }
}
