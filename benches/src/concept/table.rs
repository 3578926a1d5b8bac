//! The table, in Markdown.

use super::Named;
use std::io::{Result, Write};

/// One figure beside that of the concept.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) what: String,
    /// As the concept words it.
    pub(super) words: &'static str,
    /// Its bound, in the unit of what is measured.
    pub(super) named: Named,
    pub(super) unit: &'static str,
    /// None: it did not come to that.
    pub(super) measured: Option<f64>,
}

impl Line {
    /// How many times better than the concept: above 1 is better.
    pub(super) fn better(&self) -> Option<f64> {
        let measured = self.measured.filter(|measured| *measured > 0.0)?;
        Some(match self.named {
            Named::AtMost(named) => named / measured,
            Named::AtLeast(named) => measured / named,
        })
    }
}

/// Writes all lines.
pub(super) fn write(lines: &[Line], setup: &str, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{setup}\n")?;
    writeln!(out, "| | first concept | measured | times better |\n|---|--:|--:|--:|")?;
    for line in lines {
        let measured =
            line.measured.map_or("not reached".into(), |m| format!("{} {}", number(m), line.unit));
        let better = line.better().map_or("-".into(), |better| format!("{better:.2}"));
        writeln!(out, "| {} | {} | {measured} | {better} |", line.what, line.words)?;
    }
    Ok(())
}

/// Three digits that say something; whole above a hundred.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
