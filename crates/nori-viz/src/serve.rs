//! The endpoint: a page for people, and frames for programs.
//!
//! | path | answer |
//! | --- | --- |
//! | `/` | the page: HTML, styles and script in one, nothing from elsewhere |
//! | `/frames` | header and frames, as lines of a recording |
//! | `/frames?after=N&of=BEGAN` | those behind frame N of the watch that began then |
//! | `/recording` | the same, to be saved as a file |
//!
//! 1. Only 127.0.0.1 is listened on, and only requests that name this machine are answered: a page
//!    of somebody else, whose name was made to point here, is not.
//! 2. The page may run its own script and ask this endpoint, nothing else: its policy says so to
//!    the browser.
//! 3. All requests are answered by one thread; it ends when the server is dropped, whoever is
//!    connected.

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::watch::{Options, Watch};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use nori_env::sync::thread::{Builder, JoinHandle};
use nori_env::{FileSystem, OsFs};
use nori_lsm::Lsm;
use std::future::IntoFuture;
use std::net::{SocketAddr, TcpListener};
use tokio::sync::oneshot;

mod page;

/// An endpoint that is served until this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// What is watched for this server alone.
    watch: Option<Watch>,
}

/// Watches a store and serves what is seen on `address`, which must be on 127.0.0.1; port 0 takes
/// any that is free. The store is not kept open by it; when it is closed, the page shows the last
/// that was seen.
///
/// # Errors
/// `NotThisMachine`, `Listen`, `Thread`.
pub fn serve(store: &Lsm, address: SocketAddr) -> Result<Server> {
    // Before the watch: a wrong address costs nothing then.
    let listener = listen(address)?;
    let watch = Watch::start(store, Options::default())?;
    let mut server = Server::run(watch.feed(), listener)?;
    server.watch = Some(watch);
    Ok(server)
}

impl Server {
    /// Serves a feed: of a watch that somebody else holds, or of a recording.
    ///
    /// # Errors
    /// As [`serve`].
    pub fn start(feed: Feed, address: SocketAddr) -> Result<Server> {
        Server::run(feed, listen(address)?)
    }

    fn run(feed: Feed, listener: TcpListener) -> Result<Server> {
        let failed = |address| move |source| Error::Listen { address, source };
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = listener.local_addr().map_err(failed(unknown))?;
        listener.set_nonblocking(true).map_err(failed(address))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(Error::Thread)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed(address))?
        };
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            runtime.spawn(axum::serve(listener, router(feed)).into_future());
            // Said or dropped, it means the same. The runtime goes with all that runs in it.
            let _ = runtime.block_on(stopped);
        };
        let thread = Builder::new().name("nori-viz-serve".into());
        let thread = thread.spawn(run).map_err(Error::Thread)?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread), watch: None })
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told by its hook.
            let _ = thread.join();
        }
        drop(self.watch.take());
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    if !crate::is_this_machine(address) {
        return Err(Error::NotThisMachine { address });
    }
    TcpListener::bind(address).map_err(|source| Error::Listen { address, source })
}

fn router(feed: Feed) -> Router {
    Router::new()
        .route("/", get(async || page::response()))
        .route("/frames", get(frames))
        .route("/recording", get(recording))
        .layer(middleware::from_fn(guard))
        .with_state(feed)
}

const LINES: (HeaderName, &str) = (header::CONTENT_TYPE, "application/x-ndjson");

async fn frames(State(feed): State<Feed>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let number = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse::<u64>().ok())
    };
    let same = number("of").is_none_or(|began| began == feed.header().began);
    let known = number("after").filter(|_| same);
    ([LINES], feed.lines(known)).into_response()
}

async fn recording(State(feed): State<Feed>) -> Response {
    let as_file = "attachment; filename=\"nori-recording.jsonl\"";
    ([LINES, (header::CONTENT_DISPOSITION, as_file)], feed.lines(None)).into_response()
}

/// Refuses requests that were meant for another name, and adds what holds for all answers.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = match names_this_machine(request.headers()) {
        true => next.run(request).await,
        false => {
            let why = "this endpoint answers to 127.0.0.1 and localhost only\n";
            (StatusCode::FORBIDDEN, why).into_response()
        }
    };
    let for_all = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in for_all {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    matches!(name, Some("127.0.0.1" | "localhost"))
}

/// A word that nobody can guess, for one answer.
fn nonce() -> String {
    format!("{:016x}{:016x}", OsFs.random(), OsFs.random())
}
