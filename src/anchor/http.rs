//! Witnesses over the network: asking them, and being one.

use std::sync::Arc;

use super::transport::{Reply, Transport};
use super::witness::WitnessServer;
use crate::error::Result;
use crate::net::{Answer, Client, ClientOptions, Response, Server, ServerHandle, ServerOptions, listen};

/// Asks servers over HTTP, within the limits of [`ClientOptions`].
pub struct Http(Client);

impl Http {
    /// Over TLS, to public addresses. With `allow_private` also to this machine and to private networks, and without TLS where the
    /// address says so: cosignatures are signed by themselves.
    ///
    /// # Errors
    /// `E_USAGE` for roots that are none.
    pub fn new(allow_private: bool, extra_roots_pem: Option<Vec<u8>>) -> Result<Self> {
        let allow_plain_http = allow_private;
        let options = ClientOptions { allow_private, allow_plain_http, extra_roots_pem, ..ClientOptions::default() };
        Ok(Self(Client::new(&options)?))
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let content_type = Some(answer.content_type).filter(|text| !text.is_empty());
        Self { status: answer.status, content_type, body: answer.body }
    }
}

impl Transport for Http {
    fn get(&self, url: &str) -> Result<Reply> {
        Ok(self.0.get(url)?.into())
    }

    fn post(&self, url: &str, content_type: &str, body: &[u8]) -> Result<Reply> {
        Ok(self.0.post(url, content_type, body)?.into())
    }
}

/// A witness that listens; dropping it stops it.
pub struct Serving {
    handle: ServerHandle,
}

impl Serving {
    /// Where it listens, with the port that the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> String {
        self.handle.address().to_string()
    }

    /// Takes no more requests, and answers those that it has.
    pub fn stop(self) {
        self.handle.stop();
    }
}

/// Serves a witness at `address`, such as `127.0.0.1:8080`. It speaks no TLS: beyond this machine a proxy stands before it.
///
/// # Errors
/// `E_NETWORK` for an address that cannot be listened at.
pub fn serve(witness: Arc<WitnessServer>, address: &str) -> Result<Serving> {
    let handle = Server::start(listen(address)?, ServerOptions::default(), move |request| {
        let reply = witness.answer(&request.method, &request.path, &request.body);
        Response { status: reply.status, content_type: reply.content_type.unwrap_or_default(), body: reply.body }
    })?;
    Ok(Serving { handle })
}
