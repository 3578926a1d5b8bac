//! The sweep sees: where no checksum is verified, wrong answers must come to light.
//!
//! ```text
//! RUSTFLAGS="--cfg nori_plant" CARGO_TARGET_DIR=target/plant \
//!     cargo test -p nori-lsm --test corruption without_checksums -- --nocapture
//! ```

use crate::judge::{Door, Tally, judge, undamaged};
use crate::sample::{KINDS, Sample};
use crate::{SHARE, damage};
use nori_testkit::plant_caught;
use nori_types::plant_blind;

#[test]
fn damage_is_found_without_checksums_to_be_believed() {
    // Written and read with checksums that are all the same.
    plant_blind(true);
    for kind in KINDS {
        for door in [Door::Write, Door::Read] {
            let sample = Sample::new(kind, 1);
            undamaged(&sample, door).expect("all is well without damage");
            let (mut tally, mut opens) = (Tally::default(), 0);
            let all = damage::all(&sample);
            let caught = all.iter().step_by(SHARE).find_map(|damage| {
                opens += 1;
                let wrong = judge(&sample, damage, door, &mut tally).err()?;
                Some((damage.clone(), wrong))
            });
            let (damage, wrong) = caught.expect("damage that nobody checks for must be seen");
            println!("{kind:?} {door:?}: {damage:?}: {wrong}");
            plant_caught("BlindChecksums", "corruption", opens, "opens");
        }
    }
    plant_blind(false);
}
