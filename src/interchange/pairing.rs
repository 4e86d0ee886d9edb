//! Requests joined with their answers, in bounded memory.
//!
//! Ids belong to a direction and may be used again, so an answer goes to the oldest open request of the
//! other side with its id.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::codec::digest::sha256;
use crate::tape::Direction;

/// Most requests waiting for an answer. Past it the oldest is given up: a source of nothing but requests
/// must not fill memory.
pub(super) const OPEN_MAX: usize = 65_536;

/// Ids longer than this are remembered by digest.
const ID_BYTES_MAX: usize = 64;

type Key = (Direction, Vec<u8>);

/// A request that waits.
#[derive(Debug, Clone, Copy)]
struct Open {
    age: u64,
    seq: u64,
    t_ms: Option<u64>,
}

/// A request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    /// Sequence number of the request, as the source counts.
    pub(super) request_seq: u64,
    /// Sequence number of the answer.
    pub(super) response_seq: u64,
    /// Milliseconds since the start.
    pub(super) request_t_ms: Option<u64>,
    /// Milliseconds since the start.
    pub(super) response_t_ms: Option<u64>,
    /// The answer has an `error` member.
    pub(super) error: bool,
}

impl Pair {
    /// Milliseconds from request to answer.
    pub(super) fn rtt_ms(&self) -> Option<u64> {
        Some(self.response_t_ms?.saturating_sub(self.request_t_ms?))
    }
}

/// Open requests by direction and id.
#[derive(Default)]
pub(super) struct Pairing {
    open: HashMap<Key, VecDeque<Open>>,
    ages: BTreeMap<u64, Key>,
    next_age: u64,
    given_up: u64,
}

impl Pairing {
    /// A request went `direction`. True when its id was open already.
    pub(super) fn request(&mut self, direction: Direction, id: &str, seq: u64, t_ms: Option<u64>) -> bool {
        if self.ages.len() >= OPEN_MAX {
            self.give_up_oldest();
        }
        let key = (direction, id_bytes(id));
        let age = self.next_age;
        self.next_age = age.saturating_add(1);
        self.ages.insert(age, key.clone());
        let queue = self.open.entry(key).or_default();
        queue.push_back(Open { age, seq, t_ms });
        queue.len() > 1
    }

    /// An answer went `direction`; the request it answers, if one is open.
    pub(super) fn response(
        &mut self,
        direction: Direction,
        id: &str,
        seq: u64,
        t_ms: Option<u64>,
        error: bool,
    ) -> Option<Pair> {
        let key = (opposite(direction), id_bytes(id));
        let queue = self.open.get_mut(&key)?;
        let request = queue.pop_front()?;
        if queue.is_empty() {
            self.open.remove(&key);
        }
        self.ages.remove(&request.age);
        Some(Pair {
            request_seq: request.seq,
            response_seq: seq,
            request_t_ms: request.t_ms,
            response_t_ms: t_ms,
            error,
        })
    }

    /// Requests given up because too many were open.
    pub(super) const fn given_up(&self) -> u64 {
        self.given_up
    }

    fn give_up_oldest(&mut self) {
        let Some((_, key)) = self.ages.pop_first() else { return };
        self.given_up = self.given_up.saturating_add(1);
        if let Some(queue) = self.open.get_mut(&key) {
            queue.pop_front();
            if queue.is_empty() {
                self.open.remove(&key);
            }
        }
    }
}

const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::ClientToServer => Direction::ServerToClient,
        Direction::ServerToClient => Direction::ClientToServer,
        other => other,
    }
}

/// The id as both sides must write it: escapes of a string do not matter, everything else does.
fn id_bytes(id: &str) -> Vec<u8> {
    let plain = id.contains('\\').then(|| super::json::string(id)).flatten();
    let bytes = plain.map_or_else(|| id.as_bytes().to_vec(), |p| format!("\"{p}\"").into_bytes());
    if bytes.len() > ID_BYTES_MAX { sha256(&bytes).to_vec() } else { bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ClientToServer as Up, ServerToClient as Down, Unknown};

    #[test]
    fn oldest_open_request_of_the_other_side() {
        let mut p = Pairing::default();
        assert!(!p.request(Up, "1", 0, Some(5)));
        assert!(!p.request(Down, "1", 1, Some(6)));
        assert!(p.request(Up, "1", 2, Some(7)));
        let pair = p.response(Down, "1", 3, Some(9), true).unwrap();
        assert_eq!((pair.request_seq, pair.response_seq, pair.rtt_ms(), pair.error), (0, 3, Some(4), true));
        assert_eq!(p.response(Down, "1", 4, None, false).unwrap().request_seq, 2);
        assert_eq!(p.response(Down, "1", 5, None, false), None);
        assert_eq!(p.response(Up, "1", 6, None, false).unwrap().request_seq, 1);
    }

    #[test]
    fn ids_are_text_of_their_own_kind() {
        let mut p = Pairing::default();
        p.request(Unknown, "1", 0, None);
        assert_eq!(p.response(Unknown, "\"1\"", 1, None, false), None);
        p.request(Unknown, r#""\u0061""#, 2, None);
        assert!(p.response(Unknown, r#""a""#, 3, None, false).is_some());
        let long = "9".repeat(1_000_000);
        p.request(Unknown, &long, 4, None);
        assert!(p.response(Unknown, &long, 5, None, false).is_some());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut p = Pairing::default();
        for n in 0..(OPEN_MAX as u64 + 10) {
            p.request(Up, &n.to_string(), n, None);
        }
        assert_eq!((p.given_up(), p.ages.len(), p.open.len()), (10, OPEN_MAX, OPEN_MAX));
        assert_eq!(p.response(Down, "9", 0, None, false), None);
        assert!(p.response(Down, "10", 0, None, false).is_some());
    }
}
