//! Counts over the frames of a tape, as its header carries them.

use crate::codec::cbor::{CborError, Key, Reader, Writer};

/// Counts over a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Frames.
    pub frames: u64,
    /// Bytes of all payloads.
    pub payload_bytes: u64,
    /// Frames from client to server.
    pub client_to_server: u64,
    /// Frames from server to client.
    pub server_to_client: u64,
    /// Error answers.
    pub errors: u64,
    /// Requests.
    pub requests: u64,
    /// Responses.
    pub responses: u64,
    /// Notifications.
    pub notifications: u64,
    /// Requests joined with their answers.
    pub correlations: u64,
    /// Requests without an answer.
    pub unanswered: u64,
    /// Whole milliseconds from the start of the session to the last frame, when known.
    pub duration_ms: Option<u64>,
}

impl Stats {
    fn counts(&self) -> [u64; 10] {
        [
            self.frames,
            self.payload_bytes,
            self.client_to_server,
            self.server_to_client,
            self.errors,
            self.requests,
            self.responses,
            self.notifications,
            self.correlations,
            self.unanswered,
        ]
    }

    pub(super) fn write(&self, w: &mut Writer) {
        let counts = self.counts();
        w.map(counts.len().saturating_add(usize::from(self.duration_ms.is_some())));
        for (key, value) in counts.iter().enumerate() {
            w.uint(key as u64);
            w.uint(*value);
        }
        if let Some(ms) = self.duration_ms {
            w.uint(10);
            w.uint(ms);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut s = Self::default();
        let mut seen = 0u16;
        r.map(|key, v| {
            let Key::Int(key @ 0..=10) = key else { return Err(CborError::UnknownKey) };
            seen |= 1 << key;
            let value = v.uint()?;
            match key {
                0 => s.frames = value,
                1 => s.payload_bytes = value,
                2 => s.client_to_server = value,
                3 => s.server_to_client = value,
                4 => s.errors = value,
                5 => s.requests = value,
                6 => s.responses = value,
                7 => s.notifications = value,
                8 => s.correlations = value,
                9 => s.unanswered = value,
                _ => s.duration_ms = Some(value),
            }
            Ok(())
        })?;
        if seen & 0x3ff == 0x3ff { Ok(s) } else { Err(CborError::MissingKey) }
    }
}
