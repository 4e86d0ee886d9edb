//! What one place says, and which place it is.

use std::fmt;

use serde_json::Value;

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// On the command line.
    Flag(&'static str),
    /// In a variable of the environment.
    Variable(String),
    /// In a file.
    File {
        /// Its name, as it is shown.
        name: String,
        /// The line, from 1.
        line: usize,
    },
    /// Nowhere.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => f.write_str(name),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Everything that one place says of the storage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    /// The provider.
    pub provider: Option<(String, Origin)>,
    /// Settings, in the order in which they stand there.
    pub settings: Vec<(String, Value, Origin)>,
}
