//! Real servers and real clients, none of them ours, with the recorder between them and without it.
//!
//! `tests/mcp/install` brings the software; `tests/mcp` holds the client programs and the tee, which shares nothing with the
//! recorder: what it wrote down is what the tape is held against.

mod first_time;
mod kills;
mod sessions;
mod software;
mod stage;
