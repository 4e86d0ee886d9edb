//! Whole ledgers on the faulting file system: what was done, what must be there, and how to look.

mod audit;
mod content;
mod diary;
mod log;
mod story;
mod world;

pub use audit::{Case, Outcome, audit, continue_with};
pub use content::{Content, Material};
pub use diary::{Diary, Kept};
pub use log::{Line, explain, read_log};
pub use story::{STAGES, story};
pub use world::{NOW_MS, World, copy_rows, fingerprint, in_runtime};
