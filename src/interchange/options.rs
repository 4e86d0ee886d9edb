//! What the one who imports says about it.

use std::sync::Arc;

use super::detect::SourceFormat;
use super::index::DirectoryIndex;
use crate::codec::limits::{CLASS_BYTES_MAX, LABEL_BYTES_MAX, TAGS_MAX};
use crate::error::{Code, Error, Result};
use crate::tape::{Direction, LEDGER_CLASS};

/// What the one who imports says about it.
///
/// ```
/// use immutape::interchange::{ImportOptions, Importer, SourceFormat};
/// let options = ImportOptions::default().name(b"payments".to_vec()).format(SourceFormat::JsonRpcLines);
/// let importer = Importer::open(&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"[..], options)?;
/// assert_eq!(importer.format(), SourceFormat::JsonRpcLines);
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportOptions {
    /// Retention class; `draft` is the class of nobody's choice.
    pub class: String,
    /// Namespace.
    pub namespace: String,
    /// Name; without it the companion's, or else the source's own.
    pub name: Option<Vec<u8>>,
    /// Description; without it the companion's, or else the source's own.
    pub description: Option<Vec<u8>>,
    /// Tags; without any the companion's, or else the source's own.
    pub tags: Vec<Vec<u8>>,
    /// Name of the source file as given: any bytes.
    pub source_name: Option<Vec<u8>>,
    /// The bytes of `{id}.meta.json`, when there is one.
    pub companion: Option<Vec<u8>>,
    /// The index of the folder that the source lies in, when there is one.
    pub index: Option<Arc<DirectoryIndex>>,
    /// The present moment, milliseconds since 1970.
    pub imported_ms: Option<u64>,
    /// Name of this host.
    pub host: Option<Vec<u8>>,
    /// Name and version of this program.
    pub importer: String,
    /// Which way the messages of plain JSON-RPC went, if somebody knows.
    pub direction: Direction,
    /// The format; without it the content tells.
    pub format: Option<SourceFormat>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            class: "draft".into(),
            namespace: "default".into(),
            name: None,
            description: None,
            tags: Vec::new(),
            source_name: None,
            companion: None,
            index: None,
            imported_ms: None,
            host: None,
            importer: concat!("immutape ", env!("CARGO_PKG_VERSION")).into(),
            direction: Direction::Unknown,
            format: None,
        }
    }
}

impl ImportOptions {
    /// Under this retention class.
    #[must_use]
    pub fn class(self, class: impl Into<String>) -> Self {
        Self { class: class.into(), ..self }
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// With this name.
    #[must_use]
    pub fn name(self, name: impl Into<Option<Vec<u8>>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// With this description.
    #[must_use]
    pub fn description(self, description: impl Into<Option<Vec<u8>>>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// With these tags.
    #[must_use]
    pub fn tags(self, tags: Vec<Vec<u8>>) -> Self {
        Self { tags, ..self }
    }

    /// From a file of this name.
    #[must_use]
    pub fn source_name(self, source_name: impl Into<Option<Vec<u8>>>) -> Self {
        Self { source_name: source_name.into(), ..self }
    }

    /// With the bytes of `{id}.meta.json`.
    #[must_use]
    pub fn companion(self, companion: impl Into<Option<Vec<u8>>>) -> Self {
        Self { companion: companion.into(), ..self }
    }

    /// With the index of the folder.
    #[must_use]
    pub fn index(self, index: impl Into<Option<Arc<DirectoryIndex>>>) -> Self {
        Self { index: index.into(), ..self }
    }

    /// At this moment, in milliseconds since 1970.
    #[must_use]
    pub fn imported_ms(self, imported_ms: impl Into<Option<u64>>) -> Self {
        Self { imported_ms: imported_ms.into(), ..self }
    }

    /// On this host.
    #[must_use]
    pub fn host(self, host: impl Into<Option<Vec<u8>>>) -> Self {
        Self { host: host.into(), ..self }
    }

    /// By this program.
    #[must_use]
    pub fn importer(self, importer: impl Into<String>) -> Self {
        Self { importer: importer.into(), ..self }
    }

    /// Messages of plain JSON-RPC went this way.
    #[must_use]
    pub fn direction(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// In this format, whatever the content looks like.
    #[must_use]
    pub fn format(self, format: impl Into<Option<SourceFormat>>) -> Self {
        Self { format: format.into(), ..self }
    }

    /// What would make the header unlawful at the end is refused at the start.
    pub(super) fn check(&self) -> Result<()> {
        for (what, text) in [("class", &self.class), ("namespace", &self.namespace)] {
            if text.is_empty() {
                return Err(Error::new(Code::Usage, format!("the {what} is empty"))
                    .with_hint(format!("give a {what}, or none at all")));
            }
            limit(what, text.len(), CLASS_BYTES_MAX, "bytes")?;
        }
        if self.class == LEDGER_CLASS {
            return Err(Error::new(Code::Usage, "the class \"ledger\" is that of the ledger's own entries")
                .with_hint("give the tape another class, or none at all"));
        }
        limit("list of tags", self.tags.len(), TAGS_MAX, "tags")?;
        let labels = [
            ("name", &self.name),
            ("description", &self.description),
            ("source's file name", &self.source_name),
            ("host name", &self.host),
        ];
        for (what, label) in labels {
            limit(what, label.as_ref().map_or(0, Vec::len), LABEL_BYTES_MAX, "bytes")?;
        }
        self.tags.iter().try_for_each(|tag| limit("tag", tag.len(), LABEL_BYTES_MAX, "bytes"))
    }
}

fn limit(what: &str, found: usize, max: usize, unit: &str) -> Result<()> {
    if found <= max {
        return Ok(());
    }
    Err(Error::new(Code::Limit, format!("the {what} has {found} {unit}; the limit is {max}"))
        .with_hint("give a shorter one"))
}
