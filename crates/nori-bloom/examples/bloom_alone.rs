//! nori-bloom by itself: a list of known words, kept in ten bits a word, is asked before the
//! slow dictionary would be.

use nori_bloom::{Filter, FilterBuilder, hash};

fn main() -> Result<(), nori_bloom::Error> {
    let words = ["harbour", "tide", "anchor", "rope", "lantern"];
    let mut builder = FilterBuilder::new(10.0);
    for word in words {
        builder.add(hash(word.as_bytes()));
    }
    let bytes = builder.finish();
    println!("{} words in {} bytes", words.len(), bytes.len());
    let filter = Filter::parse(&bytes)?;
    // A word that was added is never denied. One that was not is, but for one in a hundred.
    assert!(words.iter().all(|word| filter.may_contain(hash(word.as_bytes()))));
    for word in ["tide", "desert"] {
        let answer = filter.may_contain(hash(word.as_bytes()));
        println!("{word}: {}", if answer { "look it up" } else { "surely unknown" });
    }
    Ok(())
}
