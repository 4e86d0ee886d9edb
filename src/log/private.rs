//! The private half of an entry: who, how, why, from where, how much (`docs/format/4-commit.md` 4.4).

use crate::codec::CborError;
use crate::codec::cbor::{Key, Reader, Writer};
use crate::codec::digest::{CustodyId, Digest, TapeId, Thumbprint};
use crate::codec::limits::PRIVATE_SET_BYTES_MAX;
use crate::seal::{EncodedFields, PrivateSealer};
use crate::tape::Labels;
use crate::time::Timestamp;

/// Keys up to here may be used by later programs; others are refused.
const LATER_FIELD_MAX: i64 = 63;

macro_rules! small_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A number that a later program writes.
            Later(u64),
        }
        impl $name {
            /// The word for people and `--json`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* Self::Later(_) => "unknown to this program" }
            }
            /// The number in the format.
            #[must_use]
            pub const fn number(self) -> u64 { match self { $(Self::$variant => $number,)* Self::Later(n) => n } }
            fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
                Ok(match r.uint()? { $($number => Self::$variant,)* later => Self::Later(later) })
            }
        }
    };
}

small_enum! {
    /// What kind of actor.
    ActorKind {
        /// A person.
        Human = 0, "human";
        /// A program that acts for itself.
        Service = 1, "service";
        /// A program that acts for somebody.
        Agent = 2, "agent";
        /// The ledger itself.
        System = 3, "system";
    }
}

small_enum! {
    /// How an actor was authenticated.
    Authentication {
        /// The operating system's user, not checked further.
        OsUser = 0, "os-user, unverified";
        /// Signed with a key that the ledger does not know.
        UnregisteredKey = 1, "signed, key not registered";
        /// Signed with a registered key.
        RegisteredKey = 2, "signed, registered key";
        /// A token.
        Token = 3, "token";
        /// The ledger itself.
        Itself = 4, "the ledger itself";
    }
}

small_enum! {
    /// How the act ended.
    Outcome {
        /// Done.
        Ok = 0, "ok";
        /// Refused.
        Refused = 1, "refused";
        /// Failed.
        Failed = 2, "failed";
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// Name as given.
    pub id: Vec<u8>,
    /// How it was authenticated.
    pub authentication: Authentication,
}

/// What the clocks said when the act was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStamp {
    /// Raw wall clock.
    pub wall: Timestamp,
    /// Monotonic clock, nanoseconds.
    pub monotonic_ns: u64,
    /// Boot.
    pub boot_id: [u8; 16],
}

/// A retention claim as it was recorded. A kind that is not known here never ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRecord {
    /// 0 fixed, 1 until event, 2 permanent.
    pub kind: u64,
    /// How long.
    pub period: Option<Period>,
    /// Event.
    pub event: Option<String>,
    /// When it ends, where that is known already: milliseconds since 1970.
    pub end_ms: Option<u64>,
    /// Digest of the schedule that it was made by.
    pub schedule: Option<Digest>,
}

/// The length of a retention period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// In milliseconds.
    Ms(u64),
    /// By the calendar: years, months, days, added in this order.
    Calendar {
        /// Years.
        years: u64,
        /// Months.
        months: u64,
        /// Days.
        days: u64,
    },
}

/// The private half. Absent fields do not apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names and types are those of docs/format/4-commit 4.4")]
#[non_exhaustive]
pub struct PrivateHalf {
    pub actor: Option<Actor>,
    pub roles: Vec<String>,
    pub on_behalf_of: Option<Vec<u8>>,
    pub purpose: Option<Vec<u8>>,
    pub case: Option<Vec<u8>>,
    pub origin: Option<(Vec<u8>, u64, Option<Vec<u8>>)>,
    pub request_id: Option<[u8; 16]>,
    pub tape_id: Option<TapeId>,
    pub range: Option<(u64, u64)>,
    pub bytes: Option<u64>,
    pub outcome: Option<Outcome>,
    pub error: Option<(u64, String)>,
    pub clock: Option<ClockStamp>,
    pub clock_interval: Option<(Option<u64>, Option<u64>)>,
    pub policy_digest: Option<Digest>,
    pub build_digest: Option<Digest>,
    pub words: Option<Vec<u8>>,
    pub person_statement: Option<Vec<u8>>,
    pub query: Option<Vec<u8>>,
    pub set: Option<Vec<CustodyId>>,
    pub attachment: Option<Digest>,
    pub class: Option<String>,
    pub claims: Vec<ClaimRecord>,
    pub namespace: Option<String>,
    pub recipient: Option<Vec<u8>>,
    pub tool: Option<Vec<u8>>,
    /// An encoded item.
    pub detail: Option<Vec<u8>>,
    pub labels: Option<([u8; 32], Labels)>,
    /// An encoded item.
    pub previous_value: Option<Vec<u8>>,
    pub credential: Option<Thumbprint>,
    /// Salt and SHA-256 of what left.
    pub exported: Option<([u8; 32], Digest)>,
    pub set_salt: Option<[u8; 32]>,
    /// Fields of later programs: number, from 32 to 63, and encoded item.
    pub later: Vec<(u64, Vec<u8>)>,
}

impl PrivateSealer for PrivateHalf {
    fn fields(&self) -> EncodedFields {
        let mut out = Fields(EncodedFields::new());
        out.with(0, self.actor.as_ref(), |w, a| {
            w.array(3);
            w.uint(a.kind.number());
            w.bytes(&a.id);
            w.uint(a.authentication.number());
        });
        out.list(1, &self.roles, |w, r| w.text(r));
        out.bytes(2, self.on_behalf_of.as_deref());
        out.bytes(3, self.purpose.as_deref());
        out.bytes(4, self.case.as_deref());
        out.with(5, self.origin.as_ref(), |w, (host, pid, remote)| {
            w.array(3);
            w.bytes(host);
            w.uint(*pid);
            w.nullable(remote.as_deref(), Writer::bytes);
        });
        out.bytes(6, self.request_id.as_ref().map(<[u8; 16]>::as_slice));
        out.bytes(7, self.tape_id.as_ref().map(AsRef::as_ref));
        out.with(8, self.range, |w, (first, last)| {
            w.array(2);
            w.uint(first);
            w.uint(last);
        });
        out.with(9, self.bytes, |w, n| w.uint(n));
        out.with(10, self.outcome, |w, o| w.uint(o.number()));
        out.with(11, self.error.as_ref(), |w, (number, words)| {
            w.array(2);
            w.uint(*number);
            w.text(words);
        });
        out.with(12, self.clock, |w, c| {
            w.array(3);
            w.uint(c.wall.as_ms());
            w.uint(c.monotonic_ns);
            w.bytes(&c.boot_id);
        });
        out.with(13, self.clock_interval, |w, (lo, hi)| {
            w.array(2);
            [lo, hi].into_iter().for_each(|v| w.nullable(v, Writer::uint));
        });
        out.bytes(14, self.policy_digest.as_ref().map(AsRef::as_ref));
        out.bytes(15, self.build_digest.as_ref().map(AsRef::as_ref));
        out.bytes(16, self.words.as_deref());
        out.bytes(17, self.person_statement.as_deref());
        out.bytes(18, self.query.as_deref());
        out.with(19, self.set.as_ref(), |w, ids| w.bytes(&ids.iter().flat_map(|i| *i.as_bytes()).collect::<Vec<_>>()));
        out.bytes(20, self.attachment.as_ref().map(AsRef::as_ref));
        out.with(21, self.class.as_ref(), |w, c| w.text(c));
        out.list(22, &self.claims, |w, c| {
            w.array(5);
            w.uint(c.kind);
            w.nullable(c.period, |w, period| match period {
                Period::Ms(ms) => w.uint(ms),
                Period::Calendar { years, months, days } => {
                    w.array(3);
                    [years, months, days].into_iter().for_each(|n| w.uint(n));
                }
            });
            w.nullable(c.event.as_deref(), Writer::text);
            w.nullable(c.end_ms, Writer::uint);
            w.nullable(c.schedule.as_ref().map(AsRef::as_ref), Writer::bytes);
        });
        out.with(23, self.namespace.as_ref(), |w, n| w.text(n));
        out.bytes(24, self.recipient.as_deref());
        out.bytes(25, self.tool.as_deref());
        out.with(26, self.detail.as_ref(), |w, d| w.raw(d));
        out.with(27, self.labels.as_ref(), |w, (salt, labels)| {
            w.array(2);
            w.bytes(salt);
            labels.write(w);
        });
        out.with(28, self.previous_value.as_ref(), |w, d| w.raw(d));
        out.bytes(29, self.credential.as_ref().map(AsRef::as_ref));
        out.with(30, self.exported.as_ref(), |w, (salt, digest)| {
            w.array(2);
            w.bytes(salt);
            w.bytes(digest.as_ref());
        });
        out.bytes(31, self.set_salt.as_ref().map(<[u8; 32]>::as_slice));
        for (number, item) in &self.later {
            out.with(*number, Some(item), |w, item| w.raw(item));
        }
        out.0
    }
}

struct Fields(EncodedFields);

impl Fields {
    fn with<T>(&mut self, n: u64, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        if let Some(v) = value {
            self.0.push(n, |w| write(w, v));
        }
    }

    fn bytes(&mut self, n: u64, value: Option<&[u8]>) {
        self.with(n, value, Writer::bytes);
    }

    fn list<T>(&mut self, n: u64, items: &[T], write: impl Fn(&mut Writer, &T)) {
        if !items.is_empty() {
            self.with(n, Some(items), |w, items| {
                w.array(items.len());
                items.iter().for_each(|i| write(w, i));
            });
        }
    }
}

impl PrivateHalf {
    /// Reads an opened private half.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(map: &[u8]) -> Result<Self, CborError> {
        let mut p = Self::default();
        let mut r = Reader::new(map);
        r.map(|key, v| {
            let Key::Int(key) = key else { return Err(CborError::UnknownKey) };
            p.read_field(key, v)
        })?;
        r.end()?;
        Ok(p)
    }

    fn read_field(&mut self, key: i64, v: &mut Reader<'_>) -> Result<(), CborError> {
        let owned = |v: &mut Reader<'_>| v.bytes().map(|b| Some(b.to_vec()));
        let text = |v: &mut Reader<'_>| v.text().map(|t| Some(t.to_owned()));
        let digest = |v: &mut Reader<'_>| v.bytes_n().map(|b| Some(Digest::from_bytes(b)));
        match key {
            0 => {
                v.array_of(3)?;
                let kind = ActorKind::read(v)?;
                self.actor = Some(Actor { kind, id: v.bytes()?.to_vec(), authentication: Authentication::read(v)? });
            }
            1 => self.roles = list(v, |r| r.text().map(str::to_owned))?,
            2 => self.on_behalf_of = owned(v)?,
            3 => self.purpose = owned(v)?,
            4 => self.case = owned(v)?,
            5 => {
                v.array_of(3)?;
                let (host, pid) = (v.bytes()?.to_vec(), v.uint()?);
                self.origin = Some((host, pid, if v.null_if_next() { None } else { owned(v)? }));
            }
            6 => self.request_id = Some(v.bytes_n()?),
            7 => self.tape_id = Some(TapeId::from_bytes(v.bytes_n()?)),
            8 => {
                v.array_of(2)?;
                self.range = Some((v.uint()?, v.uint()?));
            }
            9 => self.bytes = Some(v.uint()?),
            10 => self.outcome = Some(Outcome::read(v)?),
            11 => {
                v.array_of(2)?;
                self.error = Some((v.uint()?, v.text()?.to_owned()));
            }
            12 => {
                v.array_of(3)?;
                let (wall, monotonic_ns) = (Timestamp::from_ms(v.uint()?), v.uint()?);
                self.clock = Some(ClockStamp { wall, monotonic_ns, boot_id: v.bytes_n()? });
            }
            13 => {
                v.array_of(2)?;
                self.clock_interval = Some((optional_uint(v)?, optional_uint(v)?));
            }
            14 => self.policy_digest = digest(v)?,
            15 => self.build_digest = digest(v)?,
            16 => self.words = owned(v)?,
            17 => self.person_statement = owned(v)?,
            18 => self.query = owned(v)?,
            19 => self.set = Some(read_set(v.bytes()?)?),
            20 => self.attachment = digest(v)?,
            21 => self.class = text(v)?,
            22 => self.claims = list(v, read_claim)?,
            23 => self.namespace = text(v)?,
            24 => self.recipient = owned(v)?,
            25 => self.tool = owned(v)?,
            26 => self.detail = Some(v.any_within(1)?.to_vec()),
            27 => {
                v.array_of(2)?;
                let (salt, labels) = (v.bytes_n()?, Labels::read(v)?);
                if !labels.fit() {
                    return Err(CborError::Length);
                }
                self.labels = Some((salt, labels));
            }
            28 => self.previous_value = Some(v.any_within(1)?.to_vec()),
            29 => self.credential = Some(Thumbprint::from_bytes(v.bytes_n()?)),
            30 => {
                v.array_of(2)?;
                self.exported = Some((v.bytes_n()?, Digest::from_bytes(v.bytes_n()?)));
            }
            31 => self.set_salt = Some(v.bytes_n()?),
            32..=LATER_FIELD_MAX => self.later.push((key.unsigned_abs(), v.any_within(1)?.to_vec())),
            _ => return Err(CborError::UnknownKey),
        }
        Ok(())
    }
}

fn optional_uint(v: &mut Reader<'_>) -> Result<Option<u64>, CborError> {
    if v.null_if_next() { Ok(None) } else { v.uint().map(Some) }
}

fn list<'a, T>(
    v: &mut Reader<'a>,
    mut each: impl FnMut(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<Vec<T>, CborError> {
    let n = v.array()?;
    if n == 0 {
        return Err(CborError::Length);
    }
    (0..n).map(|_| each(v)).collect()
}

fn read_claim(v: &mut Reader<'_>) -> Result<ClaimRecord, CborError> {
    v.array_of(5)?;
    let (kind, period) = (v.uint()?, read_period(v)?);
    let event = if v.null_if_next() { None } else { Some(v.text()?.to_owned()) };
    let end_ms = optional_uint(v)?;
    let schedule = if v.null_if_next() { None } else { Some(Digest::from_bytes(v.bytes_n()?)) };
    Ok(ClaimRecord { kind, period, event, end_ms, schedule })
}

fn read_period(v: &mut Reader<'_>) -> Result<Option<Period>, CborError> {
    if v.null_if_next() {
        return Ok(None);
    }
    if v.array_is_next() {
        v.array_of(3)?;
        return Ok(Some(Period::Calendar { years: v.uint()?, months: v.uint()?, days: v.uint()? }));
    }
    v.uint().map(|ms| Some(Period::Ms(ms)))
}

/// Custody ids one after another, ascending.
fn read_set(bytes: &[u8]) -> Result<Vec<CustodyId>, CborError> {
    if bytes.len() > PRIVATE_SET_BYTES_MAX {
        return Err(CborError::Length);
    }
    let (ids, rest) = bytes.as_chunks::<32>();
    let ids: Vec<_> = ids.iter().map(|c| CustodyId::from_bytes(*c)).collect();
    if !rest.is_empty() {
        return Err(CborError::Length);
    }
    if !ids.is_sorted_by(|a, b| a < b) {
        return Err(CborError::KeyOrder);
    }
    Ok(ids)
}
