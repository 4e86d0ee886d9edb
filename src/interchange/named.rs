//! Gathers what messages name, in bounded memory.

use std::collections::BTreeMap;

use crate::codec::limits::{NAMED_BYTES_MAX, NAMED_MAX};
use crate::tape::Named;

/// Counts so far.
#[derive(Default)]
pub(super) struct NamedCounts {
    methods: BTreeMap<Vec<u8>, u64>,
    tools: BTreeMap<Vec<u8>, u64>,
    errors: BTreeMap<i64, u64>,
    unlisted: u64,
}

impl NamedCounts {
    pub(super) fn method(&mut self, name: &str) {
        let unlisted = count_name(&mut self.methods, name);
        self.unlisted = self.unlisted.saturating_add(unlisted);
    }

    pub(super) fn tool(&mut self, name: &str) {
        let unlisted = count_name(&mut self.tools, name);
        self.unlisted = self.unlisted.saturating_add(unlisted);
    }

    pub(super) fn error(&mut self, code: i64) {
        let has_room = self.errors.len() < NAMED_MAX;
        match self.errors.get_mut(&code) {
            Some(count) => *count = count.saturating_add(1),
            None if has_room => _ = self.errors.insert(code, 1),
            None => self.unlisted = self.unlisted.saturating_add(1),
        }
    }

    /// The header field, ascending as maps are.
    pub(super) fn finish(self) -> Named {
        Named {
            methods: self.methods.into_iter().collect(),
            tools: self.tools.into_iter().collect(),
            errors: self.errors.into_iter().collect(),
            unlisted: self.unlisted,
        }
    }
}

/// Counts a name; 1 when there is no room for it, or it is too long.
fn count_name(counts: &mut BTreeMap<Vec<u8>, u64>, name: &str) -> u64 {
    if let Some(count) = counts.get_mut(name.as_bytes()) {
        *count = count.saturating_add(1);
        return 0;
    }
    if counts.len() >= NAMED_MAX || name.len() > NAMED_BYTES_MAX {
        return 1;
    }
    counts.insert(name.as_bytes().to_vec(), 1);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_bounded_and_what_is_left_out_is_counted_too() {
        let mut counts = NamedCounts::default();
        for n in 0..300i64 {
            counts.method(&format!("m/{n:03}"));
            counts.method("m/001");
            counts.error(-n);
        }
        counts.tool(&"x".repeat(257));
        let named = counts.finish();
        assert_eq!((named.methods.len(), named.tools.len(), named.errors.len()), (256, 0, 256));
        assert_eq!(named.methods[1], (b"m/001".to_vec(), 301));
        assert_eq!(named.errors[0], (-255, 1));
        assert_eq!(named.unlisted, 44 + 1 + 44);
    }
}
