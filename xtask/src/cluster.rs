//! The example `replicated-kv`: three members on this machine, their fault test and their cost.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

const REMEDY: &str = "see what it said above; examples/replicated-kv is its source";
/// Where the members listen, and where each one's store can be watched.
const PORTS: [(u16, u16); 3] = [(7001, 7101), (7002, 7102), (7003, 7103)];

/// Starts three members and leaves them running until Ctrl-C.
pub(crate) fn cluster(context: &Context, args: &[String]) -> Result<(), Failure> {
    let dir = match args {
        [] => context.workspace.root.join("target/cluster"),
        [dir] => PathBuf::from(dir),
        _ => return Err(Failure::new("cluster takes a directory at most", "cargo xtask")),
    };
    let program = build(context)?;
    let mut members = Vec::new();
    for (number, (port, viz)) in PORTS.iter().enumerate() {
        let id = number + 1;
        members.push(Running(
            Command::new(&program)
                .args(["serve", &id.to_string(), &format!("127.0.0.1:{port}")])
                .arg(dir.join(format!("member-{id}")))
                .args(["--viz", &format!("127.0.0.1:{viz}")])
                .spawn()?,
        ));
    }
    let listed: Vec<String> = PORTS
        .iter()
        .enumerate()
        .map(|(n, (port, _))| format!("{}=127.0.0.1:{port}", n + 1))
        .collect();
    // Members of an earlier run know each other already; then this is refused, which is fine.
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(200));
        let mut init = Command::new(&program);
        init.args(["127.0.0.1:7001", "init", &listed.join(",")]);
        let said = init.output()?;
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        if said.is_empty() || said.contains("not allowed to initialize") {
            break;
        }
    }
    let program = program.strip_prefix(&context.workspace.root).unwrap_or(&program).display();
    let all = "127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003";
    println!(
        "\nThree members run; Ctrl-C ends them. What they hold is in {}.\n\n  \
         {program} {all} put user:1 Ada\n  {program} {all} get user:1\n  \
         {program} {all} range user: 'user;'\n  {program} {all} state\n  \
         curl '127.0.0.1:7002/kv/user:1?stale=true'\n  nori top 127.0.0.1:7101\n",
        dir.display()
    );
    for member in &mut members {
        // Ctrl-C reaches the members too, and they close their stores.
        member.0.wait()?;
    }
    Ok(())
}

/// A member that does not outlive this command.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Faults for a time: `--minutes N`.
pub(crate) fn cluster_test(context: &Context, args: &[String]) -> Result<(), Failure> {
    let (minutes, rest) = match args {
        [flag, minutes, rest @ ..] if flag == "--minutes" => (minutes.parse().ok(), rest),
        rest => (Some(10), rest),
    };
    let minutes: u64 =
        minutes.ok_or_else(|| Failure::new("no number of minutes", "say --minutes 10"))?;
    let program = build(context)?.with_file_name("cluster-test");
    let mut command = Command::new(program);
    command.arg((minutes * 60).to_string()).args(rest);
    shell::run(&mut command, REMEDY)
}

/// What replication costs: `--seconds N` for each line.
pub(crate) fn cluster_bench(context: &Context, args: &[String]) -> Result<(), Failure> {
    let seconds = match args {
        [] => "10",
        [flag, seconds] if flag == "--seconds" => seconds,
        _ => return Err(Failure::new("cluster-bench takes --seconds N", "cargo xtask")),
    };
    let program = build(context)?.with_file_name("cluster-bench");
    shell::run(Command::new(program).arg(seconds), REMEDY)
}

/// Builds the programs of the example; the member's.
fn build(context: &Context) -> Result<PathBuf, Failure> {
    let root = &context.workspace.root;
    let mut command = shell::cargo(root);
    command.args(["build", "--quiet", "--release", "-p", "replicated-kv", "--bins"]);
    shell::run(&mut command, "replicated-kv must build")?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(Path::new(&target).join("release/replicated-kv"))
}
