//! The command line, from outside: the real program, its two streams and its exit codes.

mod documents;
mod harm;
mod load;
mod processes;
mod streams;
mod transcripts;
mod world;
