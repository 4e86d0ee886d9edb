//! Why something over the network came to nothing.

use crate::error::{Code, Error};

/// A fault of a client or a server. Text that came from outside stands in it escaped, and cut.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum NetError {
    /// An option is out of its range.
    #[error("a network option is wrong: {0}")]
    Options(&'static str),
    /// The address is no URL that may be asked. It is not repeated here: it may hold a password.
    #[error("not a URL to ask: {0}")]
    Url(&'static str),
    /// The body to send is longer than the client sends.
    #[error("a body of {0} bytes is longer than a client sends")]
    Body(usize),
    /// The host has no address.
    #[error("{0} has no address")]
    NoAddress(String),
    /// The host has an address that nothing may connect to.
    #[error("{host} is at {address}, which is {why}")]
    Forbidden {
        /// The host asked for.
        host: String,
        /// The address that it has.
        address: std::net::IpAddr,
        /// What stands against it.
        why: &'static str,
    },
    /// No connection, or it broke.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The host asked for.
        host: String,
        /// What the operating system said.
        why: String,
    },
    /// There was no whole answer in the time given.
    #[error("{0} did not answer in time")]
    Slow(String),
    /// The server is not who it should be, or speaks no TLS 1.3.
    #[error("{host} is not trusted: {why}")]
    Tls {
        /// The host asked for.
        host: String,
        /// What TLS said.
        why: String,
    },
    /// The answer sends elsewhere.
    #[error("{host} answers {status} and points to {target}; redirects are not followed")]
    Redirect {
        /// The host asked for.
        host: String,
        /// The status, 300 to 399.
        status: u16,
        /// Where it points.
        target: String,
    },
    /// The answer is longer than the client takes.
    #[error("the answer of {host} is longer than {limit} bytes")]
    Long {
        /// The host asked for.
        host: String,
        /// Bytes that would have been taken.
        limit: usize,
    },
    /// What came is no answer of HTTP/1.1, or one of a kind that is not taken.
    #[error("no usable answer of {host}: {why}")]
    Answer {
        /// The host asked for.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server cannot be started.
    #[error("the server cannot be started: {0}")]
    Server(String),
}

impl From<NetError> for Error {
    fn from(e: NetError) -> Self {
        let code = match &e {
            NetError::Options(_) | NetError::Url(_) => Code::Usage,
            NetError::Body(_) => Code::Limit,
            _ => Code::Network,
        };
        Self::new(code, e.to_string()).with_source(e)
    }
}
