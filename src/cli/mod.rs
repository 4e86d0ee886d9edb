//! The command line. The only room that reads the environment and prints.
//!
//! Data goes to standard output, words about it to standard error; with `--json` both are one stream of
//! documents. Recorded bytes are escaped before a terminal sees them (`docs/operating.md`).

mod args;
mod demo;
mod entries;
mod errors;
mod export_files;
mod frames;
mod help;
mod input;
mod json;
mod lockstep;
mod out;
mod range;
mod run;
mod session;
mod surroundings;
mod table;
mod terminal;
mod verbs;
mod words;

pub use run::run;
