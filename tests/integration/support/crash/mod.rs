//! Whole ledgers on the faulting file system: what was done, what must be there, and how to look.

mod audit;
mod base;
pub mod child;
mod content;
mod diary;
mod disk;
mod lived;
mod log;
mod points;
mod story;
mod watched;
mod world;

pub use audit::{Case, Outcome, audit, audit_machine, continue_with};
pub use base::Base;
pub use content::{Content, Material};
pub use diary::{Diary, Kept};
pub use disk::{Disk, copy_folder, every_byte, put_on_disk, sled_of, some_folder};
pub use lived::{Lived, Place, When};
pub use log::{Line, read_log};
pub use points::Points;
pub use story::{STAGES, story};
pub use watched::{Syncs, Watched};
pub use world::{Machine, NOW_MS, World, copy_rows, fingerprint, folders_in, in_parallel, in_runtime};
