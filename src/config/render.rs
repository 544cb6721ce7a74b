//! A configuration as TOML, every key with its value.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use super::Config;
use super::section::Number;

/// A path that TOML cannot hold: its texts are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {} is no UTF-8, so TOML cannot hold it", .0.display())]
pub struct NotUtf8(pub PathBuf);

/// TOML as it grows.
pub(super) struct Rendering(String);

impl Rendering {
    fn header(&mut self, header: &str) {
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

impl Config {
    /// The whole configuration as TOML that reads back as itself: defaults filled in, paths absolute.
    ///
    /// # Errors
    /// A path that is no UTF-8.
    pub fn to_toml(&self) -> Result<String, NotUtf8> {
        let mut out = Rendering(String::new());
        out.header("[daemon]");
        self.daemon.render(&mut out)?;
        out.header("[log]");
        self.log.render(&mut out);
        out.header("[server]");
        self.server.render(&mut out);
        out.header("[store]");
        self.store.render(&mut out)?;
        out.header("[executor]");
        self.executor.render(&mut out);
        out.header("[journal]");
        self.journal.render(&mut out);
        out.header("[checkpoint]");
        self.checkpoint.render(&mut out);
        out.header("[relay]");
        self.relay.render(&mut out);
        self.delivery.render(&mut out);
        for sink in &self.sinks {
            out.header("[[sinks]]");
            sink.render(&self.delivery, &mut out)?;
        }
        Ok(out.0)
    }
}
