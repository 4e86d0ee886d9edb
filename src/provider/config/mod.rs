//! Which provider, and with which settings: flags, environment, files and defaults, and what they come to together.
//!
//! Flag before environment, environment before the project's file (`immutape.toml` in the present folder), that before the
//! user's (`config.toml` in the folder of the keys), that before the default; each setting for itself. Settings that stand
//! beside the name of another provider than the one that is chosen are left out. How sessions are recorded stands in the same
//! files, in `[capture]`, and what is done again and again, in `[schedule]`.

mod capture;
mod effective;
mod file;
mod layer;
mod part;
mod schedule;
mod sources;
mod text;

pub use capture::CaptureSettings;
pub use effective::{Effective, EffectiveSetting};
pub use file::{ConfigFile, Others};
pub use layer::{Layer, Origin};
pub use schedule::ScheduleSettings;
pub use sources::{Flags, PROJECT_FILE, Sources, USER_FILE};
