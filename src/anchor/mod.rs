//! Heads that others hold: asking witnesses, being one, publishing a tree, and asking for the time.
//!
//! What is decided here rests on heads that the log signed; a claim that nobody signed is told, and changes nothing.

mod http;
mod publish;
mod round;
mod time;
mod transport;
mod witness;

pub use http::{Http, Serving, serve};
pub use publish::{Published, publish};
pub use round::{Round, WitnessAnswer, WitnessState, confirm, round};
pub use time::stamp;
pub use transport::{Reply, Transport};
pub use witness::{WitnessServer, monitor_path};
