//! Batches come back operation by operation; hostile payloads are errors.

use super::*;
use nori_env::Rng;

fn decode(payload: &[u8]) -> std::result::Result<Vec<(u64, Vec<u8>, Option<Vec<u8>>)>, BadPayload> {
    Operations::new(payload)?
        .map(|op| {
            let op = op?;
            let key = payload[op.at..op.at + op.key_len].to_vec();
            let value = payload[op.at + op.key_len..op.at + op.key_len + op.value_len].to_vec();
            Ok((op.seq.get(), key, (op.kind == ValueKind::Value).then_some(value)))
        })
        .collect()
}

#[test]
fn operations_come_back_in_order_with_consecutive_sequence_numbers() {
    let mut batch = WriteBatch::new();
    batch.put("a", "1").delete("b").put("", "").put("a", vec![7; 300]);
    assert_eq!((batch.len(), batch.is_empty()), (4, false));
    let payload = batch.payload_at(SeqNo::new(40)).to_vec();
    assert_eq!(Operations::new(&payload).unwrap().last_seq(), SeqNo::new(43));
    let expected = vec![
        (40, b"\0a".to_vec(), Some(b"1".to_vec())),
        (41, b"\0b".to_vec(), None),
        (42, b"\0".to_vec(), Some(vec![])),
        (43, b"\0a".to_vec(), Some(vec![7; 300])),
    ];
    assert_eq!(decode(&payload), Ok(expected));
}

#[test]
fn the_layout_is_the_one_that_is_drawn() {
    let mut batch = WriteBatch::new();
    batch.put("k", "vw").delete("d");
    let golden = b"\x09\0\0\0\0\0\0\0\x02\0\0\0\x01\x02\x02\0kvw\0\x02\0\0d";
    assert_eq!(batch.payload_at(SeqNo::new(9)), golden);
}

#[test]
fn what_cannot_be_written_is_remembered_and_adds_nothing() {
    let mut batch = WriteBatch::new();
    batch.put(vec![1; KEY_BYTES_MAX], "fits");
    assert!(batch.validate().is_ok());
    batch.put(vec![1; KEY_BYTES_MAX + 1], "does not");
    assert_eq!(batch.len(), 1);
    assert!(batch.validate().unwrap_err().to_string().contains("65536"));
    batch.clear();
    assert!(batch.validate().is_ok() && batch.is_empty() && batch.byte_len() == 0);
}

#[test]
fn cut_flipped_and_random_payloads_do_not_panic() {
    let mut batch = WriteBatch::new();
    batch.put("key", "value").delete("other").put("third", vec![3; 200]);
    let good = batch.payload_at(SeqNo::new(1)).to_vec();
    for cut in 0..good.len() {
        assert!(decode(&good[..cut]).is_err(), "cut at {cut}");
    }
    let mut rng = Rng::new(11);
    for _ in 0..20_000 {
        let mut bad = good.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bad.len() as u64) as usize;
            bad[at] = rng.next_u64() as u8;
        }
        let _ = decode(&bad);
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(decode(&longer).is_err());
    assert_eq!(
        decode(&[0xff; 40]),
        Err(BadPayload::Malformed("the sequence number has more than 56 bits"))
    );
}

#[test]
fn unknown_kinds_are_told_apart_from_damage() {
    let mut batch = WriteBatch::new();
    batch.put("k", "v");
    let mut payload = batch.payload_at(SeqNo::new(1)).to_vec();
    payload[12] = 5;
    assert_eq!(decode(&payload), Err(BadPayload::UnknownKind(5)));
}

#[test]
fn a_key_without_a_keyspace_is_malformed() {
    let mut payload = 1u64.to_le_bytes().to_vec();
    payload.extend_from_slice(&1u32.to_le_bytes());
    payload.extend_from_slice(&[ValueKind::Value as u8, 0, 1, b'v']);
    let read: Vec<_> = Operations::new(&payload).expect("a whole header").collect();
    assert!(matches!(read[..], [Err(BadPayload::Malformed(_))]), "{read:?}");
}
