//! Streaming tapes of version 2: one JSON record a line, of type `init`, `frame`, `correlation` or `checkpoint`.
//!
//! Every line ends in one of three places: its record becomes a frame or the header, or it says only what
//! the frames say (correlations, checkpoints), or it is kept whole among the unsaved lines. What is spelt in
//! several ways in the wild (`header`, `footer`, `ClientToServer`, capital initials) is read as one; the
//! spelling is not kept. Everything else is: unknown fields, and known fields that could not be understood,
//! stand in `extra`.

mod beside;
mod derived;
mod frames;
mod import;
mod records;

pub use beside::BesideInput;
pub(super) use frames::{At, Frames};
pub(super) use import::V2Import;
pub(super) use records::{Context, FrameRecord, Names, moment};
