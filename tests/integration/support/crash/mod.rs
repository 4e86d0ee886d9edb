//! Whole ledgers on the faulting file system: what was done, what must be there, and how to look.

mod audit;
mod base;
mod content;
mod diary;
mod log;
mod story;
mod watched;
mod world;

pub use audit::{Case, Outcome, audit, continue_with};
pub use base::Base;
pub use content::{Content, Material};
pub use diary::{Diary, Kept};
pub use log::{Line, explain, read_log};
pub use story::{STAGES, story};
pub use watched::{Syncs, Watched};
pub use world::{NOW_MS, World, copy_rows, fingerprint, in_parallel, in_runtime};
