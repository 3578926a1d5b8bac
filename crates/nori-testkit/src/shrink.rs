//! Finding the short program that still fails.

/// Removes steps from a failing program as long as it goes on failing: first halves, then
/// quarters, and so on down to single steps, until no single step can go. `fails` must say
/// whether a program fails, the same for the same program, and must not panic itself.
/// A program that does not fail comes back whole.
pub fn shrink<T: Clone>(program: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut best = program.to_vec();
    if !fails(&best) {
        return best;
    }
    let mut piece = best.len().div_ceil(2).max(1);
    loop {
        let before = best.len();
        // From the end: what happens after the failure goes first.
        let mut end = best.len();
        while end > 0 {
            let start = end.saturating_sub(piece);
            let mut shorter = best[..start].to_vec();
            shorter.extend_from_slice(&best[end..]);
            if fails(&shorter) {
                best = shorter;
            }
            end = start;
        }
        if piece > 1 {
            piece = piece.div_ceil(2);
        } else if best.len() == before {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_steps_that_matter_stay() {
        let program: Vec<u32> = (0..1000).collect();
        let mut tries = 0;
        let short = shrink(&program, |p| {
            tries += 1;
            let at = |n| p.iter().position(|x| *x == n);
            // Fails when 17 comes before 801.
            at(17).zip(at(801)).is_some_and(|(a, b)| a < b)
        });
        assert_eq!(short, [17, 801]);
        assert!(tries < 200, "{tries}");
    }

    #[test]
    fn a_step_that_can_go_only_after_a_later_one_goes_too() {
        // 3 may be missing only when 9 is missing.
        let fails = |p: &[u32]| p.contains(&5) && (p.contains(&3) || !p.contains(&9));
        assert_eq!(shrink(&[3, 5, 9, 11], fails), [5]);
    }

    #[test]
    fn a_passing_program_comes_back_whole_and_an_empty_one_may_fail() {
        assert_eq!(shrink(&[1, 2], |_| false), [1, 2]);
        assert_eq!(shrink(&[1, 2], |_| true), [0; 0]);
        assert_eq!(shrink::<u8>(&[], |_| true), [0; 0]);
    }
}
