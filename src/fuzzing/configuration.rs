//! The configuration's text.

use std::path::PathBuf;

use crate::config::{Config, Origin};

/// A text is refused with reasons, or makes a configuration that reads back as itself.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let origin = || Origin::File(PathBuf::from("/etc/orderd/config.toml"));
    match Config::parse(text, origin()) {
        Err(invalid) => {
            assert!(!invalid.problems.is_empty());
            assert!(!invalid.to_string().is_empty());
        }
        Ok(config) => {
            drop(config.warnings());
            let rendered = config.to_toml().expect("a path from UTF-8 text is UTF-8");
            let again = Config::parse(&rendered, origin()).unwrap_or_else(|error| panic!("{error}\n{rendered}"));
            assert_eq!(again, config, "{rendered}");
        }
    }
}
