//! Recipe: many tenants in one store. Few large ones have a keyspace each, many small ones share
//! one under a prefix.
//!
//! `cargo run -p nori-examples --bin tenants`

use nori_lsm::{Iter, Keyspace, Lsm, Result, WriteBatch};

// ANCHOR: keyspace
/// A tenant with a keyspace of its own: its size can be told, and it goes with one write.
fn large(store: &Lsm, tenant: &str) -> Result<Keyspace> {
    store.keyspace(&format!("tenant-{tenant}"))
}
// ANCHOR_END: keyspace

// ANCHOR: prefix
/// A tenant among many in one keyspace. Its number comes first in every key and has a fixed
/// width, so no tenant's keys are the beginning of another's.
struct Small<'a> {
    shared: &'a Keyspace,
    tenant: [u8; 4],
}

impl Small<'_> {
    fn key(&self, key: &str) -> Vec<u8> {
        [&self.tenant[..], key.as_bytes()].concat()
    }

    fn put(&self, key: &str, value: &str) -> Result<()> {
        self.shared.put(self.key(key), value)
    }

    fn all(&self) -> Iter {
        self.shared.prefix(self.tenant)
    }

    /// Removes the tenant, some keys at a time, so that no batch gets large.
    fn remove(&self, store: &Lsm) -> Result<()> {
        loop {
            let some: Result<Vec<_>> = self.all().take(1000).collect();
            let some = some?;
            if some.is_empty() {
                return Ok(());
            }
            let mut batch = WriteBatch::new();
            for (key, _) in &some {
                batch.delete_in(self.shared, key);
            }
            store.write(batch)?;
        }
    }
}
// ANCHOR_END: prefix

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-tenants-{}", std::process::id()));
    let store = Lsm::open(&dir)?;

    let (olive, harbour) = (large(&store, "olive-press")?, large(&store, "harbour")?);
    let mut batch = WriteBatch::new();
    for i in 0..5000 {
        batch.put_in(&olive, format!("order:{i:06}"), "two bottles");
    }
    batch.put_in(&harbour, "order:000000", "a rope");
    store.write(batch)?;
    store.flush()?;
    // ANCHOR: size
    // What a tenant takes, of flushed data, without reading it.
    println!("olive press: {} bytes", olive.approximate_bytes::<&[u8], _>(..)?);
    println!("harbour: {} bytes", harbour.approximate_bytes::<&[u8], _>(..)?);
    // ANCHOR_END: size
    drop(olive);
    store.drop_keyspace("tenant-olive-press")?; // One small write.
    assert_eq!(store.keyspaces().iter().filter(|name| name.starts_with("tenant-")).count(), 1);

    let shared = store.keyspace("small-tenants")?;
    let tenant = |number: u32| Small { shared: &shared, tenant: number.to_be_bytes() };
    tenant(1).put("name", "net mender")?;
    tenant(1).put("town", "Bergen")?;
    tenant(256).put("name", "sheep counter")?;
    let counts = || (tenant(1).all().count(), tenant(256).all().count());
    println!("keys of tenant 1 and of tenant 256: {:?}", counts());
    assert_eq!(counts(), (2, 1));
    tenant(1).remove(&store)?;
    println!("after tenant 1 was removed: {:?}", counts());
    assert_eq!(counts(), (0, 1));

    drop((shared, harbour));
    store.close()?;
    Lsm::destroy(&dir)
}
