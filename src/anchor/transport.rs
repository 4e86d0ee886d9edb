//! How questions reach somebody else.

use crate::error::Result;

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Content type, where one was told.
    pub content_type: Option<String>,
    /// The body, within the limits of who asked.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer in plain text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        let content_type = Some("text/plain; charset=utf-8".to_owned());
        Self { status, content_type, body: body.into().into_bytes() }
    }

    /// The body as text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }
}

/// Asks servers. Calls block, and end within the limits that it was made with.
pub trait Transport: Send + Sync {
    /// `GET`.
    ///
    /// # Errors
    /// `E_NETWORK`.
    fn get(&self, url: &str) -> Result<Reply>;

    /// `POST`.
    ///
    /// # Errors
    /// `E_NETWORK`.
    fn post(&self, url: &str, content_type: &str, body: &[u8]) -> Result<Reply>;
}
