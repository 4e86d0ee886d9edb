//! A program with the recorder in front of it: its standard input, output and error go through here, byte for byte, and onto
//! the tape. Neither side notices.

mod ending;
mod handover;
mod lines;
mod program;
mod pump;
mod recording;
mod run;
mod signals;
mod ways;
mod witness;

pub use program::ChildCommand;
pub use run::{ChildEnd, ChildStreams, run};
pub use witness::{WitnessCommand, stand_witness};
