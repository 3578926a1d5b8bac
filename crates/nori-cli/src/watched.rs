//! What `nori top` and `nori viz` look at, and loads that let themselves be looked at.

use crate::args::{SourceArgs, WatchArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::stores;
use nori_lsm::Lsm;
use nori_viz::{Feed, Limits, Options, Remote, Server, Watch};
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Of a recording more is kept than of a process that goes on.
const RECORDING_LIMITS: Limits = Limits { frames: 50_000, bytes: 512 << 20 };

/// Where frames come from.
pub(crate) enum Source {
    /// The endpoint of a process.
    Process(Remote),
    /// A directory that is opened now and then; the watch goes with this.
    Directory(Watch),
    /// A recording, read to its end.
    Recording(Feed),
}

impl Source {
    /// Whatever the argument names.
    pub(crate) fn open(args: &SourceArgs) -> Result<Source, Failure> {
        if let Some(address) = address_of(&args.source) {
            let remote = Remote::connect(address, Limits::default()).map_err(Failure::failed)?;
            return Ok(Source::Process(remote));
        }
        let path = Path::new(&args.source);
        if path.is_file() {
            return recording(path).map(Source::Recording);
        }
        // Says what to do where there is no store.
        drop(stores::open_read_only(path)?);
        let interval = Duration::from_secs(args.every);
        let options = Options { interval, limits: Limits::default() };
        Watch::directory(path, options).map(Source::Directory).map_err(Failure::failed)
    }

    /// The frames so far.
    pub(crate) fn feed(&self) -> Feed {
        match self {
            Source::Process(remote) => remote.feed(),
            Source::Directory(watch) => watch.feed(),
            Source::Recording(feed) => feed.clone(),
        }
    }

    /// Asks for what is new; why it could not, in words.
    pub(crate) fn refresh(&self) -> Option<String> {
        match self {
            Source::Process(remote) => remote.poll().err().map(|error| error.to_string()),
            Source::Directory(_) | Source::Recording(_) => None,
        }
    }
}

/// An address, also as a browser shows it.
pub(crate) fn address_of(text: &str) -> Option<SocketAddr> {
    let text = text.strip_prefix("http://").unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    let text = text.replace("localhost:", "127.0.0.1:");
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let named = text.rsplit_once(':').is_some_and(|(_, port)| digits(port));
    // Without a name to look up there is nobody to ask.
    named.then(|| text.parse::<SocketAddr>().ok()?.to_socket_addrs().ok()?.next())?
}

fn recording(path: &Path) -> Result<Feed, Failure> {
    let file = File::open(path).map_err(|e| Failure::io("opening", path, &e))?;
    let told = |error| Failure::failed(format!("{}: {error}", path.display()));
    let (feed, damage) =
        Feed::of_recording(BufReader::new(file), RECORDING_LIMITS).map_err(told)?;
    if let Some(damage) = damage {
        // Of no use to a program, so it is no part of the output.
        let _ = writeln!(std::io::stderr(), "nori: {}: {damage}", path.display());
    }
    if feed.last().is_none() {
        return Err(Failure::failed(format!("{}: the recording has no frames", path.display())));
    }
    Ok(feed)
}

/// A load that is looked at, until this is dropped.
pub(crate) struct Watched {
    watch: Option<Watch>,
    _server: Option<Server>,
}

impl Watched {
    /// Refuses before the load begins what could not be done.
    pub(crate) fn check(args: &WatchArgs) -> Result<(), Failure> {
        match &args.record {
            Some(path) if fs::symlink_metadata(path).is_ok() => Err(Failure::usage(format!(
                "{} exists already; name a new file for the recording",
                path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Begins to look at a store.
    pub(crate) fn start(args: &WatchArgs, store: &Lsm, out: &mut Out) -> Result<Watched, Failure> {
        if args.viz.is_none() && args.record.is_none() {
            return Ok(Watched { watch: None, _server: None });
        }
        let watch = Watch::start(store, Options::default()).map_err(Failure::failed)?;
        if let Some(path) = &args.record {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let file = file.map_err(|e| Failure::io("making", path, &e))?;
            watch.record(file).map_err(Failure::failed)?;
        }
        let server = match args.viz {
            Some(address) => Some(Server::start(watch.feed(), address).map_err(Failure::usage)?),
            None => None,
        };
        if let Some(server) = &server {
            out.say(format!("see {}, or: nori top {}", server.url(), server.address()))?;
        }
        Ok(Watched { watch: Some(watch), _server: server })
    }

    /// Takes a last look and closes the recording.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.watch.map_or(Ok(()), |watch| watch.finish().map_err(Failure::failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        let port = |text: &str| address_of(text).map(|address| address.port());
        for text in ["127.0.0.1:80", "http://127.0.0.1:80/", "localhost:80", "http://localhost:80"]
        {
            assert_eq!(port(text), Some(80), "{text}");
        }
        for text in ["store", "./127.0.0.1", "C:80", "example.com:80", "127.0.0.1:", "a:b"] {
            assert_eq!(port(text), None, "{text}");
        }
        assert_eq!(port("10.0.0.1:80"), Some(80), "refused later, with the reason");
    }
}
