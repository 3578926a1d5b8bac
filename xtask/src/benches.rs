//! Benches that are more than one cargo command.

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

/// What RocksDB's own Makefile asks the compiler for: without it its checksums are slow. No debug
/// information, which would double the time of the build.
const CXX_FLAGS: &str = "-march=native -g0";

/// nori and other engines in turn.
pub(crate) fn peers(context: &Context, args: &[String]) -> Result<(), Failure> {
    let mut command = shell::cargo(&context.workspace.root);
    let (without, args): (Vec<_>, Vec<_>) = args.iter().partition(|arg| *arg == "--no-rocksdb");
    // The crate finds libclang by itself; where there is the compiler, there is most often both.
    let rocksdb = without.is_empty() && shell::is_installed("clang", &["--version"]);
    let features = if rocksdb { "peers-rocksdb" } else { "peers" };
    if rocksdb {
        println!("RocksDB is compiled first, which takes half an hour once; --no-rocksdb skips it");
        if std::env::var_os("CXXFLAGS").is_none() {
            command.env("CXXFLAGS", CXX_FLAGS);
        }
    } else if without.is_empty() {
        println!(
            "without RocksDB, which needs clang and libclang: apt-get install clang \
                  libclang-dev"
        );
    }
    command.args(["run", "--release", "-p", "nori-benches", "--features", features]);
    command.args(["--bin", "peers", "--"]).args(args);
    shell::run(&mut command, "the output above says what failed, or which answers differ")
}
