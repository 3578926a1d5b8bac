//! The client's side of a WebSocket, as far as a browser's debugging port speaks it: text both
//! ways, over a connection of this machine.

use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A mask is there to confuse proxies; between two processes of one machine any will do.
const MASK: [u8; 4] = [0x6e, 0x6f, 0x72, 0x69];
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// An open connection.
pub(super) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Connects to `ws://host:port/path`. A read waits for `patience` at most.
    pub(super) fn connect(url: &str, patience: Duration) -> Result<Socket> {
        let rest = url.strip_prefix("ws://").ok_or_else(|| odd("an address that is not ws://"))?;
        let (host, path) = rest.split_once('/').ok_or_else(|| odd("an address without a path"))?;
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let ask = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: bm9yaSBpcyBhIHN0b3JlIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(ask.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(odd(&String::from_utf8_lossy(&head)));
        }
        Ok(Socket { stream })
    }

    /// Sends a message.
    pub(super) fn send(&mut self, text: &str) -> Result<()> {
        self.send_frame(TEXT, text.as_bytes())
    }

    fn send_frame(&mut self, kind: u8, bytes: &[u8]) -> Result<()> {
        let mut frame = vec![0x80 | kind];
        match bytes.len() {
            len @ 0..=125 => frame.push(0x80 | len as u8),
            len @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&MASK);
        frame.extend(bytes.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&frame)
    }

    /// The next message.
    pub(super) fn receive(&mut self) -> Result<String> {
        let mut message = Vec::new();
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            let bytes = self.payload(head[1])?;
            match head[0] & 0x0f {
                PING => self.send_frame(PONG, &bytes)?,
                PONG => {}
                CLOSE => return Err(odd("the browser closed the connection")),
                _ => message.extend_from_slice(&bytes),
            }
            let is_last = head[0] & 0x80 != 0;
            if is_last && head[0] & 0x0f < CLOSE {
                return String::from_utf8(message).map_err(|_| odd("a message that is no text"));
            }
        }
    }

    fn payload(&mut self, length: u8) -> Result<Vec<u8>> {
        let len = match length & 0x7f {
            126 => {
                let mut long = [0; 2];
                self.stream.read_exact(&mut long)?;
                u64::from(u16::from_be_bytes(long))
            }
            127 => {
                let mut long = [0; 8];
                self.stream.read_exact(&mut long)?;
                u64::from_be_bytes(long)
            }
            short => u64::from(short),
        };
        let mut bytes = Vec::new();
        (&mut self.stream).take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == len { Ok(bytes) } else { Err(odd("a message that was cut off")) }
    }
}

fn odd(what: &str) -> Error {
    Error::other(format!("the browser's debugging port: {what}"))
}
