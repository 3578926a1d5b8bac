//! The drill of nori-backup in its long size.

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

/// What is written before the first backup, where nobody says.
const GIGABYTES: u64 = 2;
/// Checkpoints that are taken under load.
const CHECKPOINTS: &str = "100";

/// Backups and checkpoints of a store that is written to; `--gb N` says how large it is.
pub(crate) fn backup_drill(context: &Context, args: &[String]) -> Result<(), Failure> {
    let gigabytes = match args {
        [] => Some(GIGABYTES),
        [flag, number] if flag == "--gb" => number.parse().ok().filter(|gb| *gb > 0),
        _ => None,
    };
    let Some(gigabytes) = gigabytes else {
        return Err(Failure::new("backup-drill takes --gb N, a whole number", "cargo xtask"));
    };
    let mut command = shell::cargo(&context.workspace.root);
    command.args(["test", "--release", "-p", "nori-backup", "--test", "drill"]);
    command.args(["--", "--nocapture"]);
    command.env("NORI_DRILL_MB", (gigabytes * 1024).to_string());
    command.env("NORI_DRILL_CHECKPOINTS", CHECKPOINTS);
    shell::run(&mut command, "the output above says which copy differs, and how")
}
