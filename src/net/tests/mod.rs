//! The client before servers that mean no good, the server before such clients; over loopback, byte by byte.

mod addresses;
mod answers;
mod limits;
mod raw;
mod serving;
mod smuggling;
