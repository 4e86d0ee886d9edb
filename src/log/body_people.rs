//! Bodies of the kinds 104 to 108 (`docs/format/4-commit.md` 4.3 and 4.7): who there is, with which key, and what they are. Names stand in
//! private halves alone; here people are ids of 16 random bytes.

use super::EntryKind;
use super::body_fields::Fields;
use crate::codec::CborError;
use crate::codec::cbor::{Reader, Writer};

/// Most people who agree to one change.
pub const AGREED_MAX: usize = 8;
/// Most people whom entry 0 names, and most roles of one of them.
pub(super) const FOUNDERS_MAX: usize = 64;
const ROLES_MAX: usize = 16;

/// Id of a person, service or agent.
pub type ActorNumber = [u8; 16];

/// Somebody whom entry 0 names: id, public key, numbers of roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founder {
    /// Id.
    pub id: ActorNumber,
    /// Public key.
    pub key: [u8; 32],
    /// Numbers of roles, from a list that later programs may make longer.
    pub roles: Vec<u64>,
}

/// When a role counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleFrom {
    /// From this moment on, milliseconds since 1970; 0 is at once.
    Ms(u64),
    /// Never: nobody vouched for the time when it was granted. Granted again, it may.
    Never,
}

/// A body of a kind about people. `agreed` are the ids of all who did, whoever entered it first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields and meanings stand in docs/format/4-commit 4.3")]
#[non_exhaustive]
pub enum PeopleBody {
    Added { id: ActorNumber, kind: u64, key: [u8; 32], agreed: Vec<ActorNumber>, principal: Option<ActorNumber> },
    Disabled { id: ActorNumber, agreed: Vec<ActorNumber> },
    Rotated { id: ActorNumber, key: [u8; 32], agreed: Vec<ActorNumber> },
    RoleGranted { id: ActorNumber, role: u64, agreed: Vec<ActorNumber>, from: RoleFrom },
    RoleRevoked { id: ActorNumber, role: u64, agreed: Vec<ActorNumber> },
}

impl PeopleBody {
    /// The kind that has this body.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        match self {
            Self::Added { .. } => EntryKind::ACTOR_ADDED,
            Self::Disabled { .. } => EntryKind::ACTOR_DISABLED,
            Self::Rotated { .. } => EntryKind::ACTOR_ROTATED,
            Self::RoleGranted { .. } => EntryKind::ROLE_GRANTED,
            Self::RoleRevoked { .. } => EntryKind::ROLE_REVOKED,
        }
    }

    /// Whom it is about.
    #[must_use]
    pub const fn id(&self) -> ActorNumber {
        match self {
            Self::Added { id, .. }
            | Self::Disabled { id, .. }
            | Self::Rotated { id, .. }
            | Self::RoleGranted { id, .. }
            | Self::RoleRevoked { id, .. } => *id,
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            Self::Added { id, kind, key, agreed, principal } => {
                w.map(if principal.is_some() { 5 } else { 4 });
                bytes(w, 0, id);
                number(w, 1, *kind);
                bytes(w, 2, key);
                ids(w, 3, agreed);
                if let Some(principal) = principal {
                    bytes(w, 4, principal);
                }
            }
            Self::Disabled { id, agreed } => {
                w.map(2);
                bytes(w, 0, id);
                ids(w, 1, agreed);
            }
            Self::Rotated { id, key, agreed } => {
                w.map(3);
                bytes(w, 0, id);
                bytes(w, 1, key);
                ids(w, 2, agreed);
            }
            Self::RoleGranted { id, role, agreed, from } => {
                w.map(4);
                bytes(w, 0, id);
                number(w, 1, *role);
                ids(w, 2, agreed);
                w.uint(3);
                let from = match from {
                    RoleFrom::Ms(ms) => Some(*ms),
                    RoleFrom::Never => None,
                };
                w.nullable(from, Writer::uint);
            }
            Self::RoleRevoked { id, role, agreed } => {
                w.map(3);
                bytes(w, 0, id);
                number(w, 1, *role);
                ids(w, 2, agreed);
            }
        }
    }

    /// Of the kinds named above; the caller looks that nothing is left over.
    pub(super) fn read(kind: EntryKind, f: &mut Fields<'_>) -> Result<Self, CborError> {
        let id = id(f.bytes(0)?)?;
        Ok(match kind {
            EntryKind::ACTOR_ADDED => Self::Added {
                id,
                kind: f.uint(1)?,
                key: *f.digest(2)?.as_bytes(),
                agreed: agreed(f.raw(3)?)?,
                principal: f.optional_bytes(4)?.map(self::id).transpose()?,
            },
            EntryKind::ACTOR_DISABLED => Self::Disabled { id, agreed: agreed(f.raw(1)?)? },
            EntryKind::ACTOR_ROTATED => Self::Rotated { id, key: *f.digest(1)?.as_bytes(), agreed: agreed(f.raw(2)?)? },
            EntryKind::ROLE_GRANTED => {
                let (role, agreed) = (f.uint(1)?, agreed(f.raw(2)?)?);
                Self::RoleGranted { id, role, agreed, from: f.nullable_uint(3)?.map_or(RoleFrom::Never, RoleFrom::Ms) }
            }
            EntryKind::ROLE_REVOKED => Self::RoleRevoked { id, role: f.uint(1)?, agreed: agreed(f.raw(2)?)? },
            _ => return Err(CborError::UnknownKey),
        })
    }
}

fn bytes(w: &mut Writer, key: u64, value: &[u8]) {
    w.uint(key);
    w.bytes(value);
}

fn number(w: &mut Writer, key: u64, value: u64) {
    w.uint(key);
    w.uint(value);
}

fn ids(w: &mut Writer, key: u64, ids: &[ActorNumber]) {
    w.uint(key);
    w.array(ids.len());
    ids.iter().for_each(|id| w.bytes(id));
}

fn id(bytes: &[u8]) -> Result<ActorNumber, CborError> {
    bytes.try_into().map_err(|_| CborError::Length)
}

/// Who agreed: somebody, and each once.
fn agreed(raw: &[u8]) -> Result<Vec<ActorNumber>, CborError> {
    let mut r = Reader::new(raw);
    let count = r.array()?;
    if !(1..=AGREED_MAX).contains(&count) {
        return Err(CborError::Range);
    }
    let mut found: Vec<ActorNumber> = Vec::new();
    for _ in 0..count {
        let next = r.bytes_n()?;
        if found.contains(&next) {
            return Err(CborError::Range);
        }
        found.push(next);
    }
    r.end()?;
    Ok(found)
}

pub(super) fn write_founders(w: &mut Writer, founders: &[Founder]) {
    w.array(founders.len());
    for founder in founders {
        w.array(3);
        w.bytes(&founder.id);
        w.bytes(&founder.key);
        w.array(founder.roles.len());
        founder.roles.iter().for_each(|role| w.uint(*role));
    }
}

/// At least one, each id and key once.
pub(super) fn read_founders(raw: &[u8]) -> Result<Vec<Founder>, CborError> {
    let mut r = Reader::new(raw);
    let count = r.array()?;
    if !(1..=FOUNDERS_MAX).contains(&count) {
        return Err(CborError::Range);
    }
    let mut found: Vec<Founder> = Vec::new();
    for _ in 0..count {
        r.array_of(3)?;
        let (id, key) = (r.bytes_n()?, r.bytes_n()?);
        let roles = r.array()?;
        let is_known = found.iter().any(|known| known.id == id || known.key == key);
        if is_known || !(1..=ROLES_MAX).contains(&roles) {
            return Err(CborError::Range);
        }
        let roles = (0..roles).map(|_| r.uint()).collect::<Result<Vec<_>, _>>()?;
        found.push(Founder { id, key, roles });
    }
    r.end()?;
    Ok(found)
}

/// Facts for people.
impl std::fmt::Display for PeopleBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |id: &ActorNumber| hex::encode(id).get(..8).unwrap_or_default().to_owned();
        match self {
            Self::Added { id, agreed, .. } => write!(f, "{} is enrolled, {} agreed", short(id), agreed.len()),
            Self::Disabled { id, .. } => write!(f, "{} acts no more", short(id)),
            Self::Rotated { id, .. } => write!(f, "{} signs with another key", short(id)),
            Self::RoleGranted { id, role, agreed, .. } => {
                write!(f, "{} gets role {role}, {} agreed", short(id), agreed.len())
            }
            Self::RoleRevoked { id, role, .. } => write!(f, "{} has role {role} no more", short(id)),
        }
    }
}
