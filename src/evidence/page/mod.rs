//! What people read in a bundle: the custody of its tapes as a page and as data, and how to check. Nothing in it is evidence.

mod custodies;
mod facts;
mod html;
mod html_tape;
mod json;
mod markup;
mod model;
mod sort;
mod timeline;
mod verify_text;
mod words;

pub use html::custody_html;
pub use json::custody_json;
pub use model::{BundlePage, PageEntry, PageTape};
pub use verify_text::verify_text;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod samples;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests;
