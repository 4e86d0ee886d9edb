//! What a handler is given, and what it gives back.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{StatusCode, Version};

/// A whole request. All of it is the client's word.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The method, in the letters that the client sent: `GET` is not `get`.
    pub method: String,
    /// The path and what follows it, as sent: it begins with `/`, and nothing in it was decoded.
    pub path: String,
    /// The content type as sent: visible ASCII; empty for none.
    pub content_type: String,
    /// The body, at most as long as the options allow.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, 200 to 599.
    pub status: u16,
    /// The content type; empty for none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer of plain text.
    ///
    /// ```
    /// let response = immutape::net::Response::text(404, "nothing here\n");
    /// assert_eq!(response.content_type, "text/plain; charset=utf-8");
    /// ```
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8".to_owned(), body: text.as_bytes().to_vec() }
    }
}

/// What answers requests. It runs on a thread that may block.
pub(super) type Handler = dyn Fn(Request) -> Response + Send + Sync;

/// Answers one request; whatever goes wrong is a status, never an error of the connection.
pub(super) async fn answered(
    request: hyper::Request<Incoming>,
    handler: Arc<Handler>,
    body_bytes_max: usize,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let response = match read(request, body_bytes_max).await {
        Ok(request) => match tokio::task::spawn_blocking(move || handler(request)).await {
            Ok(response) => response,
            // The handler panicked; its words went where panics go, and are nothing for a client.
            Err(_) => Response::text(500, "internal error\n"),
        },
        Err(refused) => refused,
    };
    Ok(written(response))
}

/// Takes a request whole, or says what is wrong with it.
async fn read(request: hyper::Request<Incoming>, body_bytes_max: usize) -> Result<Request, Response> {
    let (head, body) = request.into_parts();
    let bad = |text| Err(Response::text(400, text));
    // RFC 9112 3.2: one Host, and HTTP/1.1 without any is no request.
    let hosts = head.headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && head.version != Version::HTTP_10) {
        return bad("not one Host\n");
    }
    if head.uri.authority().is_some() || !head.uri.path().starts_with('/') {
        return bad("not a path\n");
    }
    // RFC 9110 15.5.12: whoever has a body says how long it is. Chunks are where two readers come to differ.
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Response::text(411, "no chunks: a length is wanted\n"));
    }
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Response::text(415, "packed bodies are not taken\n"));
    }
    let Some(content_type) = content_type(&head.headers) else { return bad("not one content type\n") };
    let long = || Response::text(413, "the body is too long\n");
    if body.size_hint().lower() > body_bytes_max as u64 {
        return Err(long());
    }
    let body = match Limited::new(body, body_bytes_max).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => return Err(long()),
        Err(_) => return bad("the body is not whole\n"),
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok(Request { method: head.method.as_str().to_owned(), path, content_type, body })
}

/// The one content type; empty for none, `None` for two or for one that is no text.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    match (all.next(), all.next()) {
        (None, _) => Some(String::new()),
        (Some(one), None) => {
            let text = one.to_str().ok()?;
            text.bytes().all(|b| (0x20..0x7f).contains(&b)).then(|| text.to_owned())
        }
        (Some(_), _) => None,
    }
}

/// The answer as hyper sends it. One that HTTP cannot carry is a fault of the handler.
fn written(response: Response) -> hyper::Response<Full<Bytes>> {
    let status = StatusCode::from_u16(response.status).ok().filter(|status| (200..=599).contains(&status.as_u16()));
    let content_type = HeaderValue::from_str(&response.content_type).ok();
    let (Some(status), Some(content_type)) = (status, content_type) else {
        return written(Response::text(500, "internal error\n"));
    };
    let mut out = hyper::Response::new(Full::from(response.body));
    *out.status_mut() = status;
    if !content_type.is_empty() {
        out.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    // A browser that lands here does not guess, and runs nothing.
    out.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_http_cannot_carry_is_an_internal_error() {
        let with = |status, content_type: &str| {
            written(Response { status, content_type: content_type.to_owned(), body: b"x".to_vec() }).status().as_u16()
        };
        assert_eq!((with(200, "text/plain"), with(599, "")), (200, 599));
        for (status, content_type) in [(0, ""), (100, ""), (199, ""), (600, ""), (1_000, ""), (200, "a\r\nX: y")] {
            assert_eq!(with(status, content_type), 500, "{status} {content_type:?}");
        }
    }
}
