//! One file a verb. Each says what it prints and which exit codes are its own.

mod cat;
mod custody;
mod delete;
mod diff;
mod export;
mod init;
mod list;
mod log;
mod repair;
mod save;
mod show;
mod status;
mod verify;
mod version;

pub(super) use cat::cat;
pub(super) use custody::custody;
pub(super) use delete::delete;
pub(super) use diff::diff;
pub(super) use export::export;
pub(super) use init::init;
pub(super) use list::list;
pub(super) use log::log;
pub(super) use repair::repair;
pub(super) use save::save;
pub(super) use show::show;
pub(super) use status::status;
pub(super) use verify::verify;
pub(super) use version::version;
