//! Random programs against the twin.

use crate::rig::Rig;
use crate::truth::Truth;
use crate::twin::{Twin, check_leftovers};
use nori_env::Rng;
use nori_testkit::run_seeds;

#[test]
fn a_storage_does_what_maps_do() {
    let mut steps = 0;
    run_seeds("-p nori-openraft --test raft a_storage_does", 40, |seed| {
        let (mut rng, mut truth) = (Rng::new(seed), Truth::new(seed + 1000));
        let (disk, mut rig) = Rig::in_memory(seed);
        let mut twin = Twin::default();
        for number in 0..120 {
            let step = twin.choose(&mut rng, &mut truth);
            let told = format!("step {number}: {step:?}");
            twin.run(&step, &mut rig, &mut truth).unwrap_or_else(|e| panic!("{told}: {e}"));
            twin.apply(&step, &mut truth);
            twin.check(&mut rig, &mut truth, &mut rng, &told);
            while rng.chance(50) && rig.store.store().step().unwrap() {}
            if rng.chance(4) {
                rig = rig.reopen();
                check_leftovers(&disk, &rig, &told);
                twin.check(&mut rig, &mut truth, &mut rng, &format!("reopened after {told}"));
            }
            steps += 1;
        }
    });
    println!("{steps} steps");
}
