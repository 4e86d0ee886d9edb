//! A program with the recorder in front of it: its standard input, output and error go through here, byte for byte, and onto
//! the tape. Neither side notices.

mod lines;
mod pump;
mod recording;
mod run;
mod signals;
mod witness;

pub use run::{ChildCommand, ChildEnd, ChildStreams, run};
pub use witness::{WitnessCommand, stand_witness};
