//! The first program of the book. It keeps its store in `my-store` in the current directory, so a
//! second run finds what the first one wrote.
//!
//! `cargo run -p nori-lsm --example quickstart`

// ANCHOR: program
use nori_lsm::{Lsm, Result, WriteBatch};

fn main() -> Result<()> {
    // A store is a directory. It is made if it is not there.
    let store = Lsm::open("my-store")?;

    let earlier = store.prefix("run:").count();
    println!("this program ran {earlier} times before");
    store.put(format!("run:{earlier:06}"), "was here")?; // On the disk when it returns.

    // Several writes that happen together or not at all.
    let mut batch = WriteBatch::new();
    batch.put("city:bergen", "285,601").put("city:oslo", "717,710").delete("city:kristiania");
    store.write(batch)?;

    // Keys and values are bytes.
    if let Some(people) = store.get("city:oslo")? {
        println!("Oslo: {} people", people.escape_ascii());
    }

    // Keys come in order.
    for entry in store.prefix("city:") {
        let (key, value) = entry?;
        println!("{} = {}", key.escape_ascii(), value.escape_ascii());
    }
    assert_eq!(store.get("city:kristiania")?, None);

    store.close()
}
// ANCHOR_END: program
