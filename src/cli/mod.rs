//! The command line. The only room that reads the environment and prints.
//!
//! Data goes to standard output, words about it to standard error; with `--json` both are one stream of
//! documents (`docs/json.md`). Recorded bytes are escaped before a terminal sees them (`docs/operating.md`).

mod abreast;
mod anchors;
mod args;
mod asked;
mod bag_files;
mod configuration;
mod confirmed;
mod demo;
mod entries;
mod errors;
mod export_files;
mod export_placed;
mod frames;
mod held;
mod help;
mod inherited;
mod input;
mod interrupts;
mod jobs;
mod joined;
mod json;
mod lanes;
mod lockstep;
mod out;
mod progress;
mod range;
mod recording;
mod rounds;
mod run;
mod saving;
mod session;
mod surroundings;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod totals;
mod verbs;
mod words;

pub use run::run;
