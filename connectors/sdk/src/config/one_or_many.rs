//! A key that takes a list, or its only entry.

use serde::{Deserialize, Serialize};

/// One text or several.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// The only entry.
    One(String),
    /// All entries.
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(value: OneOrMany) -> Self {
        match value {
            OneOrMany::One(entry) => vec![entry],
            OneOrMany::Many(entries) => entries,
        }
    }
}
