//! How a command ends when it does not end well.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The call was wrong: exit code 2.
    Usage(String),
    /// The work failed: exit code 1.
    Failed(String),
    /// The store failed: exit code 1. Kept as it is so that a racing read can be tried again.
    Store(nori_lsm::Error),
    /// Problems were found and have been printed: exit code 1, nothing more to say.
    Found,
    /// Nobody reads the output any more: quiet.
    ClosedPipe,
    /// Help or a version was asked for.
    Help(Box<clap::Error>),
}

impl Failure {
    pub(crate) fn usage(what: impl Display) -> Failure {
        Failure::Usage(what.to_string())
    }

    pub(crate) fn failed(what: impl Display) -> Failure {
        Failure::Failed(what.to_string())
    }

    /// A call to the operating system about a file.
    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Failure {
        Failure::Failed(format!("{doing} {}: {error}", path.display()))
    }

    /// Turns clap's paragraphs into one line.
    pub(crate) fn from_clap(error: clap::Error) -> Failure {
        if !error.use_stderr() {
            return Failure::Help(Box::new(error));
        }
        let text = error.render().to_string();
        if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Failure::usage("say what to do: see \"nori --help\" for the commands");
        }
        let end =
            ["\n\nUsage:", "\nFor more information"].iter().filter_map(|m| text.find(m)).min();
        let told = &text[..end.unwrap_or(text.len())];
        let told = told.strip_prefix("error: ").unwrap_or(told);
        Failure::Usage(format!("{}; see \"nori help\"", one_line(told)))
    }

    /// Says what went wrong, in one line, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Failure::Usage(what) => {
                complain(&what);
                ExitCode::from(2)
            }
            Failure::Failed(what) => {
                complain(&what);
                ExitCode::FAILURE
            }
            Failure::Store(error) => {
                complain(&error.to_string());
                ExitCode::FAILURE
            }
            Failure::Found => ExitCode::FAILURE,
            Failure::ClosedPipe => ExitCode::SUCCESS,
            Failure::Help(error) => {
                // A closed pipe is no reason to complain.
                let _ = error.print();
                ExitCode::SUCCESS
            }
        }
    }
}

fn complain(what: &str) {
    use io::Write;
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "nori: {}", one_line(what));
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl From<nori_lsm::Error> for Failure {
    fn from(error: nori_lsm::Error) -> Failure {
        Failure::Store(error)
    }
}

macro_rules! from_lower {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::Store(error.into())
            }
        }
    )*};
}

from_lower!(nori_wal::Error, nori_manifest::Error, nori_sstable::Error);

/// Only writing to stdout is converted without saying what was done.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::ClosedPipe;
        }
        Failure::Failed(format!("writing the output: {error}"))
    }
}
