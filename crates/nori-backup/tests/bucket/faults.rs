//! Trouble with each call of a backup, one after the other.

use crate::failing::{Failing, Trouble};
use crate::plain::{rig, try_create};
use crate::rig::{check, contents, keep};
use nori_backup::{Backups, Error};
use nori_env::{FileSystem, MemFs};
use object_store::ObjectStore;
use std::sync::Arc;

fn is_told(error: &Error) -> bool {
    matches!(error, Error::Io { .. }) && error.to_string().contains("out of order")
}

#[test]
fn trouble_with_any_call_leaves_the_earlier_generations_and_the_next_backup_goes_well() {
    for trouble in [Trouble::Refused, Trouble::AnswerLost, Trouble::Gone] {
        let (mut failed, mut locks_left) = (0, 0);
        for nth in 1.. {
            let failing = Failing::default();
            let bucket: Arc<dyn ObjectStore> = Arc::new(failing.clone());
            let mut rig = rig(&bucket, nth);
            rig.write(20);
            rig.backup(&keep(2));
            rig.write(10);
            rig.backup(&keep(2));
            rig.write(10);
            let under_way = contents(&rig.store);
            failing.plan(nth, trouble);
            let result = rig.backups.backup(&rig.store, &keep(2));
            let was_hit = failing.clear() > 0;
            if let Err(error) = &result {
                failed += 1;
                assert!(is_told(error), "{trouble:?} {nth}: {error}");
            }
            let numbers = rig.backups.numbers().unwrap();
            let is_there = numbers.contains(&3);
            assert!(is_there || result.is_err(), "{trouble:?} {nth}: {result:?}, {numbers:?}");
            if is_there {
                rig.expected.insert(3, under_way);
            }
            rig.expected.retain(|number, _| numbers.contains(number));
            assert!(rig.expected.len() >= 2, "{trouble:?} {nth}: {numbers:?}");
            rig.check_all();
            let next = rig.backups.check();
            if matches!(next, Err(Error::Locked { .. })) {
                locks_left += 1;
                assert!(was_hit);
                rig.backups.unlock().unwrap();
            }
            assert!(rig.backups.check().unwrap().is_ok(), "{trouble:?} {nth}");
            rig.backup(&keep(2));
            rig.check_all();
            let report = rig.backups.check().unwrap();
            assert!(report.is_ok() && report.unused == 0, "{trouble:?} {nth}: {report:?}");
            if !was_hit {
                break;
            }
        }
        assert!(failed > 20, "{trouble:?}: {failed}");
        // A lock stays where the service did not take it back.
        assert!(locks_left > 0, "{trouble:?}");
    }
}

#[test]
fn trouble_while_a_place_is_made_leaves_none_or_one() {
    for trouble in [Trouble::Refused, Trouble::AnswerLost, Trouble::Gone] {
        for nth in 1.. {
            let failing = Failing::default();
            let bucket: Arc<dyn ObjectStore> = Arc::new(failing.clone());
            let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(nth));
            failing.plan(nth, trouble);
            let made = try_create(&bucket, &fs);
            let was_hit = failing.clear() > 0;
            assert!(made.is_ok() || was_hit);
            let backups = try_create(&bucket, &fs).unwrap();
            assert!(backups.check().unwrap().is_ok());
            if !was_hit {
                break;
            }
        }
    }
}

#[test]
fn trouble_with_any_call_of_a_restore_is_told_and_it_is_repeated() {
    let failing = Failing::default();
    let bucket: Arc<dyn ObjectStore> = Arc::new(failing.clone());
    let mut rig = rig(&bucket, 11);
    rig.write(40);
    rig.store.flush().unwrap();
    rig.backup(&keep(2));
    let mut failed = 0;
    for nth in 1.. {
        let dir = format!("/new-{nth}");
        failing.plan(nth, Trouble::Refused);
        let restored: Result<_, Error> = Backups::restore(&rig.backups, 1, &dir);
        if failing.clear() == 0 {
            break;
        }
        failed += 1;
        assert!(is_told(&restored.unwrap_err()));
        rig.backups.restore(1, &dir).unwrap();
    }
    assert!(failed > 10, "{failed}");
    check(&rig.fs, &rig.backups, &rig.expected);
}
