//! The command line, from outside: the real program, its two streams and its exit codes.

mod beside;
mod configuration;
mod documents;
mod export;
mod export_ends;
mod harm;
mod imports;
mod json_page;
mod lanes;
mod load;
mod pipes;
mod processes;
mod real_mcp;
mod record;
mod record_ends;
mod record_sides;
mod record_starts;
mod screens;
mod streams;
mod together;
mod transcripts;
mod vault;
mod world;
