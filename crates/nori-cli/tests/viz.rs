//! Watching: a load that is recorded and served, `nori top` and `nori viz` on all that they take.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use support::Dir;

/// A command that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(dir: &Dir, words: &str) -> Running {
        let mut command = dir.command();
        command.args(words.split_whitespace()).stdout(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    /// The address that it says it serves.
    fn address(&mut self) -> String {
        let mut lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches(',').trim_end_matches('/');
        address.to_string()
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const LOAD: &str = "bench hotspot --keys 60000 --moves 1 --buffer-kb 64 --readers 0";

#[test]
fn a_load_is_recorded_and_its_recording_is_looked_at() {
    let dir = Dir::new();
    dir.ok(&format!("{LOAD} --keep --dir store --record load.jsonl"));
    let text = std::fs::read_to_string(dir.path("load.jsonl")).unwrap();
    assert!(text.starts_with("{\"format\":\"nori-viz\",\"version\":1,"), "{:.100}", text);
    let told = dir.json("top load.jsonl --once");
    assert_eq!(told["header"]["source"], json!("process"));
    assert_eq!(told["frame"]["totals"]["operations"], json!(60_000));
    let slots = told["frame"]["slots"].as_array().unwrap().len();
    let picture = dir.ok("top load.jsonl --once");
    for part in [" nori ", "ended", "slots, by key", "pressure", "last decisions", "q quit"] {
        assert!(picture.contains(part), "{part}\n{picture}");
    }
    assert!(picture.contains(&format!("slots {slots} ")), "{picture}");
    assert_eq!(picture.lines().count(), 40);
    let small = dir.ok("top load.jsonl --once --width 30 --height 5");
    assert!(small.lines().count() == 5 && small.lines().all(|line| line.chars().count() <= 30));
    // The same store, closed: what was written down of it.
    let told = dir.json("top store --once");
    assert_eq!(told["header"]["source"], json!("directory"));
    assert_eq!(told["frame"]["rates"], json!(null));
    assert_eq!(told["frame"]["slots"].as_array().unwrap().len(), slots);
    assert!(dir.ok("top store --once").contains("need the process's own endpoint"));
    // A recording whose end is cut is shown up to there.
    std::fs::write(dir.path("cut.jsonl"), &text[..text.len() - 30]).unwrap();
    let cut = dir.run("top cut.jsonl --once");
    assert_eq!(cut.code, Some(0));
    assert!(cut.stderr.contains("the lines before it are good"), "{}", cut.stderr);
    dir.run(&format!("{LOAD} --dir other --record load.jsonl")).fails(2, "exists already");
    assert!(!dir.path("other").exists());
}

#[test]
fn a_load_is_served_while_it_runs() {
    let dir = Dir::new();
    let load = "bench hotspot --keys 30000000 --moves 4 --buffer-kb 256 --viz 127.0.0.1:0";
    let mut load = Running::start(&dir, load);
    let address = load.address();
    for source in [address.clone(), format!("http://{address}/")] {
        let told = dir.json(&format!("top {source} --once"));
        assert_eq!(told["header"]["source"], json!("process"));
        assert_eq!(told["header"]["ended"], json!(false));
    }
    assert!(dir.ok(&format!("top {address} --once")).contains(" live "));
    let said = dir.ok(&format!("viz {address}"));
    assert!(said.contains(&format!("open http://{address}/ in a browser")), "{said}");
    assert!(get(&address, "/").contains("<h1>nori</h1>"));
    drop(load);
    dir.run(&format!("top {address} --once")).fails(1, "is it the endpoint of a process");
}

#[test]
fn pages_of_recordings_and_stores_are_served_and_other_addresses_are_refused() {
    let dir = Dir::new();
    dir.ok(&format!("{LOAD} --keep --dir store --record load.jsonl"));
    for source in ["load.jsonl", "store"] {
        let mut viz = Running::start(&dir, &format!("viz {source} --listen 127.0.0.1:0"));
        let address = viz.address();
        assert!(get(&address, "/").contains("content-security-policy: default-src 'none'"));
        assert!(get(&address, "/frames").contains("\"slots\":[{"), "{source}");
    }
    dir.run("viz load.jsonl --listen 0.0.0.0:0").fails(2, "127.0.0.1 only");
    dir.run(&format!("{LOAD} --viz 0.0.0.0:0")).fails(2, "127.0.0.1 only");
    assert!(!dir.path("nori-bench").exists());
    dir.run("viz missing").fails(1, "does not exist");
    dir.run("top 127.0.0.1:1 --once").fails(1, "127.0.0.1:1");
    dir.run("top 10.0.0.1:1 --once").fails(1, "127.0.0.1 only");
    dir.run("top load.jsonl").fails(2, "say --once");
    dir.run("top load.jsonl --width 9").fails(2, "--once");
    dir.write("other.txt", "hello\n");
    dir.run("top other.txt --once").fails(1, "is not the first line of a nori-viz recording");
}
