//! The network: one HTTP client and one HTTP server, both with a limit on everything that the other side chooses.
//!
//! The only room with sockets. It knows nothing of ledgers: who asks whom for what is decided above. Nothing here
//! reads the environment: no proxy, no roots of the system.

mod address;
mod answer;
mod client;
mod error;
mod resolve;
mod server;
mod tls;
mod url;

pub use answer::Answer;
pub use client::{Client, ClientOptions};
pub use error::NetError;
pub use server::{Request, Response, Server, ServerHandle, ServerOptions, listen};

#[cfg(test)]
mod tests;
