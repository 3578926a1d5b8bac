//! What a step says when it fails.

use std::fmt;
use std::time::Duration;

/// A broken rule: what was found, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    remedy: String,
}

impl Failure {
    /// A failure with its remedy, each a sentence or a few lines.
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Failure { what: what.into(), remedy: remedy.into() }
    }

    /// A failure that lists every finding; `Ok` if there is none.
    pub(crate) fn of_findings(findings: &[String], remedy: &str) -> Result<(), Failure> {
        if findings.is_empty() {
            return Ok(());
        }
        let mut what = format!("{} finding(s):\n", findings.len());
        for finding in findings {
            what.push_str("  ");
            what.push_str(&finding.replace('\n', "\n    "));
            what.push('\n');
        }
        Err(Failure::new(what.trim_end(), remedy))
    }

    /// The same, with the step it happened in and how to run that step again.
    pub(crate) fn in_step(self, step: &str, took: Duration) -> Failure {
        let seconds = took.as_secs_f64();
        Failure {
            what: format!("== {step}: FAILED, {seconds:.1} s\n{}", self.what),
            remedy: format!("{}\nonly this step: cargo xtask {step}", self.remedy),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nwhat to do: {}", self.what, self.remedy)
    }
}

impl From<std::io::Error> for Failure {
    fn from(source: std::io::Error) -> Failure {
        Failure::new(source.to_string(), "look at the file or program named above")
    }
}
