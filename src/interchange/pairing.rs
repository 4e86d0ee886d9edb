//! Requests joined with their answers, in bounded memory.
//!
//! Ids belong to a direction and may be used again, so an answer goes to the oldest open request of the
//! other side with its id.

use std::collections::BTreeMap;

use crate::codec::digest::sha256;
use crate::tape::Direction;

/// Most requests waiting for an answer. Past it the oldest is given up: a source of nothing but requests
/// must not fill memory.
pub(super) const OPEN_MAX: usize = 65_536;

/// Direction and digest of an id: of one size, however long the id.
type Key = (Direction, [u8; 16]);

/// A request that waits.
#[derive(Debug, Clone, Copy)]
struct Open {
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
    /// Position of the answer in its batch.
    pub(super) element: u64,
}

impl Pair {
    /// Milliseconds from request to answer.
    pub(super) fn rtt_ms(&self) -> Option<u64> {
        Some(self.response_t_ms?.saturating_sub(self.request_t_ms?))
    }
}

/// Open requests by direction and id, the oldest of one id first.
pub(super) struct Pairing {
    open: BTreeMap<(Key, u64), Open>,
    ages: BTreeMap<u64, Key>,
    open_max: usize,
    next_age: u64,
    given_up: u64,
}

impl Default for Pairing {
    fn default() -> Self {
        Self::bounded(OPEN_MAX)
    }
}

impl Pairing {
    /// Of so many requests that wait, at most.
    pub(super) const fn bounded(open_max: usize) -> Self {
        Self { open: BTreeMap::new(), ages: BTreeMap::new(), open_max, next_age: 0, given_up: 0 }
    }

    /// A request went `direction`. True when its id was open already.
    pub(super) fn request(&mut self, direction: Direction, id: &str, seq: u64, t_ms: Option<u64>) -> bool {
        if self.ages.len() >= self.open_max
            && let Some((age, key)) = self.ages.pop_first()
        {
            self.open.remove(&(key, age));
            self.given_up = self.given_up.saturating_add(1);
        }
        let (key, age) = ((direction, id_digest(id)), self.next_age);
        let again = self.oldest(key).is_some();
        self.next_age = age.saturating_add(1);
        self.ages.insert(age, key);
        self.open.insert((key, age), Open { seq, t_ms });
        again
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
        let key = (opposite(direction), id_digest(id));
        let age = self.oldest(key)?;
        let request = self.open.remove(&(key, age))?;
        self.ages.remove(&age);
        Some(Pair {
            request_seq: request.seq,
            response_seq: seq,
            request_t_ms: request.t_ms,
            response_t_ms: t_ms,
            error,
            element: 0,
        })
    }

    /// Sequence numbers of the requests that wait, ascending; of several in one batch the number once for each.
    pub(super) fn waiting(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.open.values().map(|open| open.seq).collect();
        all.sort_unstable();
        all
    }

    /// Requests given up because too many were open.
    pub(super) const fn given_up(&self) -> u64 {
        self.given_up
    }

    fn oldest(&self, key: Key) -> Option<u64> {
        self.open.range((key, 0)..=(key, u64::MAX)).next().map(|((_, age), _)| *age)
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
fn id_digest(id: &str) -> [u8; 16] {
    let plain = id.contains('\\').then(|| super::json::string(id)).flatten();
    let digest = plain.map_or_else(|| sha256(id.as_bytes()), |p| sha256(format!("\"{p}\"").as_bytes()));
    digest.first_chunk().copied().unwrap_or_default()
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
        assert_eq!(p.waiting(), [1]);
        assert_eq!(p.response(Up, "1", 6, None, false).unwrap().request_seq, 1);
        assert_eq!(p.waiting(), [0; 0]);
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
