//! Reading from an endpoint, of this process or another.
//!
//! 1. Only this machine is asked, as only it is served.
//! 2. What comes back is checked like a recording; no answer makes this wait longer than a few
//!    seconds or keep more than a bounded number of bytes.

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::history::Limits;
use crate::record::{Decoder, Header};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// No answer is longer.
const ANSWER_BYTES_MAX: u64 = 512 << 20;

/// The endpoint of a process that runs.
#[derive(Debug)]
pub struct Remote {
    address: SocketAddr,
    feed: Feed,
}

impl Remote {
    /// Asks an endpoint for what it remembers.
    ///
    /// # Errors
    /// `NotThisMachine`, `Remote`, and those of reading a recording.
    pub fn connect(address: SocketAddr, limits: Limits) -> Result<Remote> {
        if !crate::is_this_machine(address) {
            return Err(Error::NotThisMachine { address });
        }
        let remote = Remote { address, feed: Feed::new(Header::default(), limits) };
        remote.poll()?;
        Ok(remote)
    }

    /// The frames so far.
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Asks for what is new.
    ///
    /// # Errors
    /// As [`Remote::connect`]; what was read before stays.
    pub fn poll(&self) -> Result<()> {
        let known = self.feed.last();
        let path = match &known {
            Some(frame) => format!("/frames?after={}&of={}", frame.n, self.feed.header().began),
            None => "/frames".into(),
        };
        let answer = self.get(&path)?;
        let decoder = Decoder::new(&answer[..])?;
        let header = decoder.header().clone();
        let same = header.began == self.feed.header().began;
        self.feed.follow(header);
        let mut decoder = decoder.going_on(known.filter(|_| same));
        while let Some(frame) = decoder.next_frame()? {
            // An endpoint that forgot the frame which is known tells all again.
            if self.feed.last().is_none_or(|last| last.n < frame.n) {
                self.feed.push(frame);
            }
        }
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Vec<u8>> {
        let said = |what: &str| Error::Remote { address: self.address, what: what.into() };
        let failed = |e: std::io::Error| said(&e.to_string());
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let host = self.address;
        let ask = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        let mut limited = BufReader::new(stream).take(ANSWER_BYTES_MAX);
        limited.read_to_end(&mut answer).map_err(failed)?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let end = end.ok_or_else(|| said("the answer is not one of HTTP"))?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 200 ") {
            return Err(said(&format!("the answer is {status:?}")));
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        answer.drain(..end + 4);
        if length != Some(answer.len()) {
            return Err(said("the answer was cut off"));
        }
        Ok(answer)
    }
}
