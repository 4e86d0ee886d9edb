//! Heads that others hold: asking witnesses, being one, publishing a tree.
//!
//! What is decided here rests on heads that the log signed; a claim that nobody signed is told, and changes nothing.

mod http;
mod publish;
mod round;
mod transport;
mod witness;

pub use http::{Http, Serving, serve};
pub use publish::{Published, publish};
pub use round::{Round, WitnessAnswer, WitnessState, confirm, round};
pub use transport::{Reply, Transport};
pub use witness::{WitnessServer, monitor_path};
