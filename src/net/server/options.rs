//! What one client may cost the server.

use std::time::Duration;

use crate::net::NetError;

/// Limits of a server. The most memory that clients can take is about `connections_max` times the two lengths.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Longest head of a request, its first line included, in bytes; 256 to 64 KiB.
    pub head_bytes_max: usize,
    /// Longest body of a request, in bytes; at most 64 MiB.
    pub body_bytes_max: usize,
    /// Connections at a time, 1 to 1,024, and so handlers at a time; whoever comes beside them gets 503.
    pub connections_max: usize,
    /// From the connection to the end of the head, in milliseconds, 1 to 600,000: how long a client may be idle.
    pub head_timeout_ms: u64,
    /// From the head to the end of the answer, the handler's own time included, in milliseconds; 1 to 600,000.
    pub request_timeout_ms: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            head_bytes_max: 8 << 10,
            body_bytes_max: 64 << 10,
            connections_max: 64,
            head_timeout_ms: 5_000,
            request_timeout_ms: 15_000,
        }
    }
}

impl ServerOptions {
    pub(super) fn check(&self) -> Result<(), NetError> {
        let wrong = |text| Err(NetError::Options(text));
        if !(256..=64 << 10).contains(&self.head_bytes_max) {
            return wrong("the head of a request is not 256 bytes to 64 KiB");
        }
        if self.body_bytes_max > 64 << 20 {
            return wrong("the body of a request may be longer than 64 MiB");
        }
        if !(1..=1_024).contains(&self.connections_max) {
            return wrong("the number of connections is not 1 to 1024");
        }
        let is_time = |ms: u64| (1..=600_000).contains(&ms);
        if is_time(self.head_timeout_ms) && is_time(self.request_timeout_ms) {
            Ok(())
        } else {
            wrong("the time of a head or a request is not 1 to 600000 milliseconds")
        }
    }

    pub(super) const fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    pub(super) const fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}
