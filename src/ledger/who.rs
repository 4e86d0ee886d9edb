//! Who acts, as the door found out.

use std::sync::Arc;

use crate::log::{Actor, ActorKind, Authentication};
use crate::seal::Signer;

/// The person or program behind a call.
///
/// ```
/// use immutape::ledger::Who;
/// let ann = Who::os_user("ann").host("desk").purpose(b"quarterly review".to_vec());
/// assert_eq!(ann.purpose.as_deref(), Some(&b"quarterly review"[..]));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Who {
    /// Name of the operating system's user.
    pub os_user: Vec<u8>,
    /// Name of the host.
    pub host: Vec<u8>,
    /// Process id.
    pub pid: u64,
    /// Name given with `--as` and the key that signs for it.
    pub person: Option<(Vec<u8>, Arc<dyn Signer>)>,
    /// Why.
    pub purpose: Option<Vec<u8>>,
    /// Program that asks.
    pub tool: Option<Vec<u8>>,
}

impl Who {
    /// A user of the operating system, not checked further.
    #[must_use]
    pub fn os_user(name: &str) -> Self {
        Self { os_user: name.as_bytes().to_vec(), host: Vec::new(), pid: 0, person: None, purpose: None, tool: None }
    }

    /// At this host.
    #[must_use]
    pub fn host(self, host: impl Into<Vec<u8>>) -> Self {
        Self { host: host.into(), ..self }
    }

    /// In this process.
    #[must_use]
    pub fn pid(self, pid: u64) -> Self {
        Self { pid, ..self }
    }

    /// With this name and the key that signs for it.
    #[must_use]
    pub fn person(self, person: impl Into<Option<(Vec<u8>, Arc<dyn Signer>)>>) -> Self {
        Self { person: person.into(), ..self }
    }

    /// For this purpose.
    #[must_use]
    pub fn purpose(self, purpose: impl Into<Option<Vec<u8>>>) -> Self {
        Self { purpose: purpose.into(), ..self }
    }

    /// Through this program.
    #[must_use]
    pub fn tool(self, tool: impl Into<Option<Vec<u8>>>) -> Self {
        Self { tool: tool.into(), ..self }
    }

    /// The actor of the entries.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.person {
            Some((name, _)) => {
                Actor { kind: ActorKind::Human, id: name.clone(), authentication: Authentication::UnregisteredKey }
            }
            None => Actor { kind: ActorKind::Human, id: self.os_user.clone(), authentication: Authentication::OsUser },
        }
    }
}

/// The ledger's own acts.
pub(super) fn itself() -> Actor {
    Actor { kind: ActorKind::System, id: b"immutape".to_vec(), authentication: Authentication::Itself }
}
