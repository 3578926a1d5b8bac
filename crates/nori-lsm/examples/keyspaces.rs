//! Keyspaces: users and an index over them, changed together and never apart.
//!
//! `cargo run -p nori-lsm --example keyspaces`

use nori_lsm::{Keyspace, Lsm, Result, WriteBatch};

// ANCHOR: type
/// Users by number, and their numbers by mail address.
struct Users {
    store: Lsm,
    by_id: Keyspace,
    by_mail: Keyspace,
}

impl Users {
    fn open(dir: &std::path::Path) -> Result<Users> {
        let store = Lsm::open(dir)?;
        let (by_id, by_mail) = (store.keyspace("users")?, store.keyspace("users-by-mail")?);
        Ok(Users { store, by_id, by_mail })
    }

    /// Gives a user an address, and takes the index along.
    fn set_mail(&self, id: u64, mail: &str) -> Result<()> {
        let mut batch = WriteBatch::new();
        if let Some(old) = self.by_id.get(id.to_be_bytes())? {
            batch.delete_in(&self.by_mail, &old);
        }
        batch.put_in(&self.by_id, id.to_be_bytes(), mail);
        batch.put_in(&self.by_mail, mail, id.to_be_bytes());
        self.store.write(batch) // Both keyspaces, or neither.
    }
}
// ANCHOR_END: type

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-keyspaces-{}", std::process::id()));
    let users = Users::open(&dir)?;
    users.set_mail(1, "ada@example.org")?;
    users.set_mail(2, "grace@example.org")?;
    users.set_mail(1, "ada@example.net")?;
    println!("keyspaces: {}", users.store.keyspaces().join(", "));
    assert_eq!(users.by_mail.get("ada@example.org")?, None);
    assert_eq!(users.by_mail.get("ada@example.net")?.as_deref(), Some(&1_u64.to_be_bytes()[..]));
    for entry in users.by_mail.iter() {
        let (mail, _) = entry?;
        println!("{}", mail.escape_ascii());
    }

    // ANCHOR: drop
    // Dropping a keyspace is one small write; its data is removed in the background.
    users.store.drop_keyspace("users-by-mail")?;
    let gone = users.by_mail.get("ada@example.net");
    println!("{}", gone.expect_err("its handles fail from now on"));
    let anew = users.store.keyspace("users-by-mail")?; // The same name, and empty.
    assert!(anew.iter().next().is_none());
    // ANCHOR_END: drop
    let Users { store, .. } = users;
    store.close()?;
    Lsm::destroy(&dir)
}
