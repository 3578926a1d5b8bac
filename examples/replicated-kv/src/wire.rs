//! Requests from member to member and from clients, over HTTP/1.1 on loopback or a private network.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    /// Nobody took it: it was not done.
    #[error("no connection to {0}")]
    NoConnection(String),
    /// It may or may not have been done.
    #[error("no answer from {0}: {1}")]
    NoAnswer(String, String),
}

/// Connections to members, kept open between requests.
#[derive(Clone, Debug)]
pub struct Wire {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Default for Wire {
    fn default() -> Wire {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_millis(500)));
        connector.set_nodelay(true);
        Wire { client: Client::builder(TokioExecutor::new()).build(connector) }
    }
}

impl Wire {
    /// Sends a request and waits for its answer so long.
    ///
    /// # Errors
    /// [`Lost`], also when the time is over.
    pub async fn ask(
        &self,
        method: Method,
        to: &str,
        path: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Lost> {
        let no_answer = |why: String| Lost::NoAnswer(to.to_string(), why);
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{to}{path}"))
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| no_answer(e.to_string()))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| {
                if error.is_connect() {
                    return Lost::NoConnection(to.to_string());
                }
                no_answer(error.to_string())
            })?;
            let status = answer.status();
            let body = answer.into_body().collect().await;
            Ok((status, body.map_err(|e| no_answer(e.to_string()))?.to_bytes()))
        };
        match tokio::time::timeout(patience, exchange).await {
            Ok(answered) => answered,
            Err(_) => Err(no_answer(format!("nothing within {patience:?}"))),
        }
    }
}

/// The form of what members say to each other: MessagePack with the names of fields.
///
/// # Errors
/// What the encoder said.
pub fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|e| e.to_string())
}

/// Reads what [`pack`] wrote.
///
/// # Errors
/// What the decoder said.
pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|e| e.to_string())
}
