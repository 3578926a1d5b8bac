//! The endpoint as a client sees it, with nothing but a socket.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

use nori_env::MemFs;
use nori_lsm::{Config, Durability, Lsm};
use nori_viz::{Decoder, Error, Feed, Frame, Limits, Options, Remote, Server, Watch, serve};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Options of a watch that does not keep a test waiting.
fn quick() -> Options {
    Options { interval: Duration::from_millis(50), limits: Limits::default() }
}

fn config() -> Config {
    let config = Config::default().memtable_bytes(64 << 10).durability(Durability::Buffered);
    config.file_system(Arc::new(MemFs::new(1)))
}

fn store() -> Lsm {
    Lsm::open_with("/store", config()).unwrap()
}

fn put(store: &Lsm, keys: u64) {
    (0..keys).for_each(|n| store.put((n * 7919 % keys).to_be_bytes(), [7; 64]).unwrap());
}

/// Head and body of an answer.
fn ask(address: SocketAddr, host: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_string())
}

fn get(server: &Server, path: &str) -> (String, String) {
    ask(server.address(), &server.address().to_string(), path)
}

fn frames(body: &str, before: Option<Arc<Frame>>) -> Vec<Arc<Frame>> {
    let mut decoder = Decoder::new(body.as_bytes()).unwrap().going_on(before);
    std::iter::from_fn(|| decoder.next_frame().unwrap()).collect()
}

/// Waits for what another thread will do.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn frames_are_told_once_and_then_what_changed() {
    let store = store();
    let watch = Watch::start(&store, quick()).unwrap();
    let server = Server::start(watch.feed(), ANY).unwrap();
    put(&store, 20_000);
    store.compact().unwrap();
    until("the merges are seen", || {
        let last = watch.feed().last();
        last.is_some_and(|f| f.totals.compactions > 0 && f.totals.operations == 20_000)
    });
    let (head, body) = get(&server, "/frames");
    assert!(head.starts_with("http/1.1 200") && head.contains("cache-control: no-store"), "{head}");
    let all = frames(&body, None);
    assert_eq!(all[0].n, 0);
    assert_eq!(all.last().unwrap().totals.operations, 20_000);
    assert!(all.iter().any(|frame| !frame.choices.is_empty()));
    let began = watch.feed().header().began;
    let last = Arc::clone(all.last().unwrap());
    until("another frame", || watch.feed().last().is_some_and(|frame| frame.n > last.n));
    let (_, body) = get(&server, &format!("/frames?after={}&of={began}", last.n));
    let new = frames(&body, Some(Arc::clone(&last)));
    assert_eq!(new[0].n, last.n + 1);
    assert!(!body.contains("\"slots\":["), "only what changed: {body}");
    // A frame of another watch, and one that nobody has.
    for path in [format!("/frames?after={}&of={}", last.n, began + 1), "/frames?after=x".into()] {
        assert_eq!(frames(&get(&server, &path).1, None)[0].n, 0, "{path}");
    }
    let (head, body) = get(&server, "/recording");
    assert!(head.contains("content-disposition: attachment"), "{head}");
    let (feed, error) = Feed::of_recording(body.as_bytes(), Limits::default()).unwrap();
    assert!(error.is_none() && feed.header().ended && feed.frames()[0].n == 0);
    assert!(get(&server, "/elsewhere").0.starts_with("http/1.1 404"));
}

#[test]
fn the_page_has_a_policy_and_only_this_machine_is_answered() {
    let store = store();
    let server = serve(&store, ANY).unwrap();
    let (head, body) = get(&server, "/");
    let nonce = head.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(nonce.len(), 32);
    assert_eq!(body.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    for part in ["default-src 'none'", "connect-src 'self'", "nosniff", "frame-ancestors 'none'"] {
        assert!(head.contains(part), "{part}\n{head}");
    }
    assert!(!get(&server, "/").0.contains(nonce), "each answer has its own");
    for host in ["evil.example", "evil.example:80", "10.0.0.1", ""] {
        let (head, body) = ask(server.address(), host, "/frames");
        assert!(head.starts_with("http/1.1 403") && !body.contains("format"), "{host:?} {head}");
    }
    let port = server.address().port();
    assert!(ask(server.address(), &format!("localhost:{port}"), "/").0.starts_with("http/1.1 200"));
}

#[test]
fn other_addresses_are_refused_before_anything_is_bound() {
    let store = store();
    for text in ["0.0.0.0:0", "[::1]:0", "[::]:0", "127.0.0.2:0", "192.0.2.1:80"] {
        let refused = serve(&store, text.parse().unwrap()).unwrap_err();
        assert!(matches!(refused, Error::NotThisMachine { .. }), "{text} {refused}");
        let refused = Remote::connect(text.parse().unwrap(), Limits::default()).unwrap_err();
        assert!(refused.to_string().contains("127.0.0.1 only"), "{refused}");
    }
    let taken = TcpListener::bind(ANY).unwrap();
    let refused = serve(&store, taken.local_addr().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("choose another port"), "{refused}");
}

/// The store closes when its last handle goes, and the page keeps the last that was seen.
#[test]
fn a_server_does_not_keep_a_store_open() {
    let config = config();
    let store = Lsm::open_with("/store", config.clone()).unwrap();
    let server = serve(&store, ANY).unwrap();
    put(&store, 1_000);
    drop(store);
    let again = Lsm::open_with("/store", config).unwrap();
    assert!(again.get(0u64.to_be_bytes()).unwrap().is_some());
    let remote = Remote::connect(server.address(), Limits::default()).unwrap();
    until("the watch ends", || {
        remote.poll().unwrap();
        remote.feed().header().ended
    });
    assert!(!remote.feed().frames().is_empty());
    let address = server.address();
    // Somebody who is connected and says nothing does not hold it up.
    let _idle = TcpStream::connect(address).unwrap();
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(Remote::connect(address, Limits::default()).is_err());
}

#[test]
fn a_remote_follows_and_notices_another_watch() {
    let store = store();
    let watch = Watch::start(&store, quick()).unwrap();
    let server = Server::start(watch.feed(), ANY).unwrap();
    let address = server.address();
    let remote = Remote::connect(address, Limits::default()).unwrap();
    put(&store, 5_000);
    until("frames come", || {
        remote.poll().unwrap();
        remote.feed().last().unwrap().totals.operations == 5_000
    });
    let numbers: Vec<u64> = remote.feed().frames().iter().map(|frame| frame.n).collect();
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{numbers:?}");
    let here = watch.feed().frames();
    assert!(remote.feed().frames().iter().zip(&here).all(|(there, here)| there == here));
    // Another watch at the same port begins anew.
    let first = remote.feed().header().began;
    drop(server);
    assert!(remote.poll().is_err());
    until("time passes", || Watch::start(&store, quick()).unwrap().feed().header().began != first);
    let other = Watch::start(&store, quick()).unwrap();
    let _server = Server::start(other.feed(), address).unwrap();
    remote.poll().unwrap();
    assert_eq!(remote.feed().header().began, other.feed().header().began);
    assert_eq!(remote.feed().frames()[0].n, 0);
}

/// Answers as something that is no endpoint would.
#[test]
fn answers_that_are_none_are_errors() {
    let answers = [
        ("", "not one of HTTP"),
        ("hello", "not one of HTTP"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "404"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "cut off"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "line 1 is not the first line"),
    ];
    for (answer, part) in answers {
        let listener = TcpListener::bind(ANY).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let told = Remote::connect(address, Limits::default()).unwrap_err().to_string();
        assert!(told.contains(part), "{part}: {told}");
        thread.join().unwrap();
    }
}

/// A file that can be looked into while it is written, and that may be full.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>, Option<usize>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap();
        if self.1.is_some_and(|max| all.len() + bytes.len() > max) {
            return Err(io::Error::other("the disk is full"));
        }
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_recording_has_every_frame_and_its_failure_is_told() {
    let store = store();
    let watch = Watch::start(&store, quick()).unwrap();
    let (file, small) = (Shared::default(), Shared(Arc::default(), Some(16_000)));
    until("some frames", || watch.feed().last().unwrap().n >= 3);
    watch.record(file.clone()).unwrap();
    put(&store, 20_000);
    let feed = watch.feed();
    watch.finish().unwrap();
    let text = file.0.lock().unwrap().clone();
    let (read, error) = Feed::of_recording(&text[..], Limits::default()).unwrap();
    assert!(error.is_none());
    assert!(read.frames() == feed.frames(), "what is read differs");
    assert_eq!(read.last().unwrap().totals.operations, 20_000, "the last frame is of the end");
    let watch = Watch::start(&store, quick()).unwrap();
    watch.record(small).unwrap();
    let n = watch.feed().last().unwrap().n;
    until("more frames", || watch.feed().last().unwrap().n > n + 20);
    let told = watch.finish().unwrap_err().to_string();
    assert!(told.contains("the disk is full"), "{told}");
    let watch = Watch::start(&store, quick()).unwrap();
    assert!(watch.record(Shared(Arc::default(), Some(10))).is_err());
}

#[test]
fn a_directory_is_seen_without_rates_and_a_missing_one_is_an_error() {
    let dir = std::env::temp_dir().join(format!("nori-viz-test-{}", std::process::id()));
    assert!(matches!(Watch::directory(&dir, quick()), Err(Error::Store { .. })));
    let store = Lsm::open(&dir).unwrap();
    put(&store, 1_000);
    store.flush().unwrap();
    let watch = Watch::directory(&dir, quick()).unwrap();
    let first = watch.feed().last().unwrap();
    assert!(first.rates.is_none() && first.slots[0].entries == 1_000, "{first:?}");
    store.put("more", "x").unwrap();
    store.flush().unwrap();
    until("the store is looked at again", || {
        watch.feed().last().unwrap().slots[0].entries == 1_001
    });
    store.close().unwrap();
    Lsm::destroy(&dir).unwrap();
    until("that it is gone is told", || !watch.feed().last().unwrap().unwell.is_empty());
    let last = watch.feed().last().unwrap();
    assert!(last.unwell[0].starts_with("what is shown is older: "), "{:?}", last.unwell);
    assert_eq!(last.slots[0].entries, 1_001);
}
