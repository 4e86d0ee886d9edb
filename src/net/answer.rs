//! What a server answered, read up to a limit.

use std::io::Read as _;

use ureq::http::{HeaderMap, HeaderName, header};
use ureq::{Body, http};

use super::NetError;
use super::client::fault;
use crate::codec::escape::visible_short;

/// Longest content type that is passed on, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 256;
/// How much of a text from outside stands in an error, in characters.
const QUOTE_CHARACTERS_MAX: usize = 120;

/// A whole answer: its status is below 300 or from 400.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status: 200 to 299, or 400 and more.
    pub status: u16,
    /// The content type as the server wrote it: visible ASCII, at most 256 bytes; empty when it named none.
    pub content_type: String,
    /// The body. A server that gives neither a length nor chunks ends it by closing, so without TLS nobody can tell a
    /// whole one from the beginning of one: what is read from it must have an end of its own.
    pub body: Vec<u8>,
}

impl Answer {
    /// Is the status 200 to 299?
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Reads what came for `host`, at most `limit` bytes of it.
    pub(super) fn read(response: http::Response<Body>, host: &str, limit: usize) -> Result<Self, NetError> {
        let (head, mut body) = response.into_parts();
        let status = head.status.as_u16();
        let bad = |why: String| NetError::Answer { host: host.to_owned(), why };
        if head.status.is_redirection() {
            let target = quoted(&head.headers, header::LOCATION).unwrap_or_else(|| "nowhere".to_owned());
            return Err(NetError::Redirect { host: host.to_owned(), status, target });
        }
        // 101 would hand the connection over to another protocol, and nobody asked for one.
        if !(200..=999).contains(&status) {
            return Err(bad(format!("its status is {status}")));
        }
        if let Some(coding) = quoted(&head.headers, header::CONTENT_ENCODING).filter(|c| c != "identity") {
            return Err(bad(format!("it is packed ({coding}), which nobody asked for")));
        }
        let content_type = content_type(&head.headers).ok_or_else(|| bad("its content type cannot be read".into()))?;
        let long = || NetError::Long { host: host.to_owned(), limit };
        if body.content_length().is_some_and(|length| length > limit as u64) {
            return Err(long());
        }
        let mut bytes = Vec::new();
        // One byte more than the limit shows that there is more.
        let mut reader = body.as_reader().take((limit as u64).saturating_add(1));
        reader.read_to_end(&mut bytes).map_err(|e| fault(ureq::Error::from(e), host, limit))?;
        if bytes.len() > limit { Err(long()) } else { Ok(Self { status, content_type, body: bytes }) }
    }
}

/// The first of these headers, harmless and short.
fn quoted(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).map(|value| visible_short(value.as_bytes(), QUOTE_CHARACTERS_MAX))
}

/// The one content type; empty for none, `None` for two or for one that is no text.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    match (all.next(), all.next()) {
        (None, _) => Some(String::new()),
        (Some(one), None) if one.len() <= CONTENT_TYPE_BYTES_MAX => {
            let text = one.to_str().ok()?;
            text.bytes().all(|b| (0x20..0x7f).contains(&b)).then(|| text.to_owned())
        }
        (Some(_), _) => None,
    }
}
