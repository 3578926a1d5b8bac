//! Updates from several threads: none lost, none seen in half.

use super::*;
use nori_env::sync::thread;

#[test]
fn no_update_is_lost_and_no_reader_sees_half_of_one() {
    let published = Arc::new(Published::new(Arc::new((0u64, 0u64))));
    let writer = |published: Arc<Published<(u64, u64)>>| {
        move || {
            for _ in 0..1000 {
                published.update(|old| Arc::new((old.0 + 1, old.1 + 2)));
            }
        }
    };
    let reader = |published: Arc<Published<(u64, u64)>>| {
        move || {
            let mut last = 0;
            while last < 2000 {
                let now = published.load();
                assert_eq!(now.0 * 2, now.1, "torn");
                assert!(now.0 >= last, "time goes back");
                last = now.0;
            }
        }
    };
    let threads = [
        thread::spawn(writer(Arc::clone(&published))),
        thread::spawn(writer(Arc::clone(&published))),
        thread::spawn(reader(Arc::clone(&published))),
    ];
    for thread in threads {
        thread.join().expect("no thread panics");
    }
    assert_eq!(*published.load_full(), (2000, 4000));
}
