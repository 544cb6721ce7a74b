//! TOML as it is written, key by key.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use super::section::Number;

/// A path that TOML cannot hold: its texts are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {} is no UTF-8, so TOML cannot hold it", .0.display())]
pub struct NotUtf8(pub PathBuf);

/// TOML as it grows.
#[derive(Default)]
pub(super) struct Rendering(pub(super) String);

impl Rendering {
    pub(super) fn header(&mut self, header: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line(header);
    }

    pub(super) fn number(&mut self, key: &str, number: impl Number) {
        self.line(&format!("{key} = {}", number.to_u64()));
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.line(&format!("{key} = {}", toml::Value::String(text.to_owned())));
    }

    pub(super) fn path(&mut self, key: &str, path: &Path) -> Result<(), NotUtf8> {
        self.text(key, path.to_str().ok_or_else(|| NotUtf8(path.to_owned()))?);
        Ok(())
    }

    pub(super) fn array(&mut self, key: &str, entries: &[impl Display]) {
        let mut array = String::new();
        for entry in entries {
            let separator = if array.is_empty() { "" } else { ", " };
            write!(array, "{separator}{entry}").ok();
        }
        self.line(&format!("{key} = [{array}]"));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}
