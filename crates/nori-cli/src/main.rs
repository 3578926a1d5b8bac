//! The `nori` command: look into a store, fill it, check it, measure it.
//!
//! 1. What was asked for goes to stdout; bars, notes and errors go to stderr.
//! 2. An error is one line that says what to do. Exit code 2: the call was wrong; 1: the work
//!    failed or problems were found; 0: all went well.
//! 3. A closed pipe ends the command quietly.
//! 4. Commands that only read write nothing and work beside a running process. They take no lock,
//!    but for `verify`, which reads all of a store that nobody has open.

// The command is a program around the engine, not a part of it: it looks at the real disk, clock
// and threads, where the engine only knows the doors of its environment.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod args;
mod bench;
mod commands;
mod demo;
mod failure;
mod out;
mod policy_sim;
mod progress;
mod stores;
mod table;
mod text;
mod top;
mod tree;
mod units;
mod watched;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::out::Out;
use clap::Parser;
use nori_bench::machine;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return Failure::from_clap(error).report(),
    };
    let mut out = Out::new(cli.json);
    let done = run(cli.command, &mut out);
    let flushed = out.flush();
    match done.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command, out: &mut Out) -> Result<(), Failure> {
    match command {
        Command::Put(args) => commands::entries::put(&args, out),
        Command::Get(args) => commands::entries::get(&args, out),
        Command::Delete(args) => commands::entries::delete(&args, out),
        Command::Scan(args) => commands::ranges::scan(&args, out),
        Command::Count(args) => commands::ranges::count(&args, out),
        Command::Stats(args) => commands::stats::stats(&args, out),
        Command::Slots(args) => commands::slots::slots(&args, out),
        Command::Heat(args) => commands::slots::heat(&args, out),
        Command::Why(args) => commands::slots::why(&args, out),
        Command::Top(args) => top::top(&args, out),
        Command::Viz(args) => commands::viz::viz(&args, out),
        Command::Verify(args) => commands::verify::verify(&args, out),
        Command::Repair(args) => commands::repair::repair(&args, out),
        Command::Checkpoint(args) => commands::backup::checkpoint(&args, out),
        Command::Backup(args) => commands::backup::backup(&args, out),
        Command::Restore(args) => commands::backup::restore(&args, out),
        Command::Export(args) => commands::stream::export(&args, out),
        Command::Import(args) => commands::stream::import(&args, out),
        Command::Layout(args) => commands::layout::layout(&args, out),
        Command::Estimate(args) => commands::layout::estimate(&args, out),
        Command::Dump(args) => commands::dump::dump(&args, out),
        Command::Compact(args) => commands::upkeep::compact(&args, out),
        Command::Destroy(args) => commands::upkeep::destroy(&args, out),
        Command::LoadDir(args) => commands::load_dir::load_dir(&args, out),
        Command::VerifyDir(args) => commands::verify_dir::verify_dir(&args, out),
        Command::Demo(args) => demo::demo(&args, out),
        Command::DemoWriter(args) => demo::writer::run(&args, out),
        Command::Bench(args) => bench::bench(&args, out),
        Command::PolicySim(args) => policy_sim::run(&args, out),
    }
}
