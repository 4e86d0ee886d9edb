//! The command line, from outside: the real program, its two streams and its exit codes.

mod beside;
mod beside_recorders;
mod configuration;
mod documents;
mod export;
mod export_ends;
mod harm;
mod imports;
mod json_page;
mod lanes;
mod live_told;
mod load;
mod pipes;
mod processes;
mod real_mcp;
mod record;
mod record_ends;
mod replay_ends;
mod screens;
mod signals;
mod streams;
mod together;
mod transcripts;
mod vault;
mod witness;
mod world;
