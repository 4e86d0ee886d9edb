//! The server: HTTP/1.1, one request a connection, a handler that knows nothing of sockets.
//!
//! It speaks no TLS: it stands on this machine's own address, or behind a proxy that does. A connection carries one
//! request and is closed after its answer, so nothing that hides behind a request is ever read as another.

mod connection;
mod head;
mod options;
mod request;
mod running;

pub use options::ServerOptions;
pub use request::{Request, Response};
pub use running::{Server, ServerHandle, listen};
