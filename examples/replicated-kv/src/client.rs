//! A client that knows the leader: it asks whoever answered last, follows where it is sent, and
//! says of a write whose answer was lost that nobody knows.

use crate::wire::{Lost, Wire};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What became of a request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    /// It was not done and will not be.
    #[error("refused: {0}")]
    Refused(String),
    /// A write may have been done, or may be done yet.
    #[error("nobody knows: {0}")]
    Unknown(String),
}

/// Where a member sends those who need the leader.
#[derive(Debug, Deserialize)]
struct Elsewhere {
    leader: Option<String>,
}

/// A client of all members.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    members: Vec<String>,
    /// Who was the leader when it was last heard of.
    leader: Mutex<Option<String>>,
    turn: AtomicUsize,
    patience: Duration,
}

impl Client {
    /// A client that gives a request so much time in all.
    pub fn new(members: Vec<String>, patience: Duration) -> Client {
        let turn = AtomicUsize::new(0);
        Client { wire: Wire::default(), members, leader: Mutex::new(None), turn, patience }
    }

    /// Puts a value; it is on the disks of a majority when this returns.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<(), Failed> {
        self.lead(Method::PUT, &path_of(key), value.to_vec(), false).await.map(|_| ())
    }

    /// Removes a key.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn delete(&self, key: &[u8]) -> Result<(), Failed> {
        self.lead(Method::DELETE, &path_of(key), Vec::new(), false).await.map(|_| ())
    }

    /// The value of a key, with all that was acknowledged before.
    ///
    /// # Errors
    /// [`Failed`]; a read is never `Unknown`.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Failed> {
        found(self.lead(Method::GET, &path_of(key), Vec::new(), true).await?)
    }

    /// The value that one member has: some moment's, which may be past.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn get_stale(&self, member: &str, key: &[u8]) -> Result<Option<Bytes>, Failed> {
        let path = format!("{}?stale=true", path_of(key));
        let answer = self.wire.ask(Method::GET, member, &path, Vec::new(), self.patience).await;
        found(answer.map_err(|lost| Failed::Refused(lost.to_string()))?)
    }

    /// Keys from one to another, with their values, as lines of escaped text.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Bytes, Failed> {
        let (from, to) = (escape(from), escape(to));
        let path = format!("/range?from={from}&to={to}&limit={limit}");
        Ok(self.lead(Method::GET, &path, Vec::new(), true).await?.1)
    }

    /// Asks one member.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn ask(
        &self,
        method: Method,
        member: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), Lost> {
        self.wire.ask(method, member, path, body, self.patience).await
    }

    /// Asks until the leader has answered, or the time is over.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn lead(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        is_read: bool,
    ) -> Result<(StatusCode, Bytes), Failed> {
        let begun = Instant::now();
        let mut last = "no member".to_string();
        while let Some(left) = self.patience.checked_sub(begun.elapsed()) {
            let at = self.whom();
            match self.wire.ask(method.clone(), &at, path, body.clone(), left).await {
                Ok((StatusCode::MISDIRECTED_REQUEST, answer)) => {
                    let sent = serde_json::from_slice::<Elsewhere>(&answer).ok();
                    let leader = sent.and_then(|sent| sent.leader).filter(|leader| *leader != at);
                    last = format!("{at} does not lead");
                    let is_known = leader.is_some();
                    self.note(leader);
                    if is_known {
                        continue;
                    }
                }
                Ok((status, answer)) if status.is_server_error() => {
                    let said = String::from_utf8_lossy(&answer).into_owned();
                    if !is_read {
                        return Err(Failed::Unknown(said));
                    }
                    self.note(None);
                    last = said;
                }
                Ok((status, answer)) => {
                    self.note(Some(at));
                    return Ok((status, answer));
                }
                Err(lost) => {
                    self.note(None);
                    if matches!(lost, Lost::NoAnswer(..)) && !is_read {
                        return Err(Failed::Unknown(lost.to_string()));
                    }
                    last = lost.to_string();
                }
            }
            // An election takes a while.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Failed::Refused(last))
    }

    /// The next of the members.
    pub fn any(&self) -> &str {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.members.get(turn % self.members.len().max(1)).map_or("", String::as_str)
    }

    /// The leader, or the next of the members.
    fn whom(&self) -> String {
        let known = self.leader.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.unwrap_or_else(|| self.any().to_string())
    }

    fn note(&self, leader: Option<String>) {
        *self.leader.lock().unwrap_or_else(PoisonError::into_inner) = leader;
    }
}

fn found((status, body): (StatusCode, Bytes)) -> Result<Option<Bytes>, Failed> {
    match status {
        StatusCode::OK => Ok(Some(body)),
        StatusCode::NOT_FOUND => Ok(None),
        _ => Err(Failed::Refused(String::from_utf8_lossy(&body).into_owned())),
    }
}

fn path_of(key: &[u8]) -> String {
    format!("/kv/{}", escape(key))
}

/// A key as part of a path: every byte that is no letter or digit as %XX.
pub fn escape(key: &[u8]) -> String {
    let byte = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(*byte).into(),
        _ => format!("%{byte:02X}"),
    };
    key.iter().map(byte).collect()
}

/// The bytes that [`escape`] was given; `None` for what it does not write.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_key_has_a_path() {
        let key: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&key)), Some(key));
        assert_eq!(escape(b"a/b"), "a%2Fb");
        for wrong in ["%", "%1", "%zz"] {
            assert_eq!(unescape(wrong), None);
        }
    }
}
