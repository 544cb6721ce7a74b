//! Reads a configuration, strictly, with all that is wrong with it.

use std::io;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::section::{Problems, Section};
use super::{
    CheckpointConfig, Config, ConfigError, DaemonConfig, DeliveryConfig, ExecutorConfig, InvalidConfig, JournalConfig,
    LogConfig, Origin, RelayConfig, ServerConfig, StoreConfig, consistency, sinks,
};

/// A file beyond this size is no configuration.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The sections, as an error lists them.
const SECTIONS: [&str; 9] = ["daemon", "log", "server", "store", "executor", "journal", "checkpoint", "relay", "sinks"];

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file cannot be read, or says something that cannot be.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
        let file = std::path::absolute(path).map_err(unreadable)?;
        let size = std::fs::metadata(&file).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            let message = format!("it has {size} bytes; a configuration has at most {FILE_BYTES_MAX}");
            return Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        let text = std::fs::read_to_string(&file).map_err(unreadable)?;
        Ok(Self::parse(&text, Origin::File(file))?)
    }

    /// Reads and checks a text; relative paths start at the folder of its origin.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, origin: Origin) -> Result<Self, InvalidConfig> {
        let mut problems = Problems::new(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        let root = document.get_ref();
        for error in &errors {
            let at = error.span().map(|span| span.start);
            let culprit = error.span().and_then(|span| text.get(span)).filter(|text| is_short(text));
            let culprit = culprit.map_or_else(String::new, |text| format!(" at {text:?}"));
            problems.add(at, problems.key_at(root, at), format!("not valid TOML: {}{culprit}", error.message()));
        }
        let config = Self::read(root, origin, &mut problems);
        consistency::check(&config, &mut problems, |key| locate(root, key));
        if problems.found.is_empty() {
            return Ok(config);
        }
        let mut problems = problems.found;
        problems.sort();
        problems.dedup();
        Err(InvalidConfig { file: config.origin.file(), problems })
    }

    fn read<'t>(root: &DeTable<'t>, origin: Origin, problems: &mut Problems<'t>) -> Self {
        let folder = &origin.folder();
        for (key, _) in root {
            if !SECTIONS.contains(&key.get_ref().as_ref()) {
                let message = format!("unknown key; the sections are {}", SECTIONS.join(", "));
                problems.add(Some(key.span().start), key.get_ref().as_ref(), message);
            }
        }
        let mut relay_section = section(root, "relay", problems);
        let relay = RelayConfig::read_keys(&mut relay_section, &RelayConfig::default());
        let delivery = DeliveryConfig::read_keys(&mut relay_section, &DeliveryConfig::default());
        relay_section.finish();
        Self {
            daemon: DaemonConfig::read(section(root, "daemon", problems), folder),
            log: LogConfig::read(section(root, "log", problems)),
            server: keys(root, "server", problems, ServerConfig::read_keys),
            store: StoreConfig::read(section(root, "store", problems), folder),
            executor: keys(root, "executor", problems, ExecutorConfig::read_keys),
            journal: keys(root, "journal", problems, JournalConfig::read_keys),
            checkpoint: keys(root, "checkpoint", problems, CheckpointConfig::read_keys),
            sinks: sinks::read(root.get("sinks"), folder, &delivery, problems),
            relay,
            delivery,
            origin,
        }
    }
}

/// The section `name`, read by `read`: a table of nothing but limits.
fn keys<'t, T: Default>(
    root: &DeTable<'t>,
    name: &str,
    problems: &mut Problems<'t>,
    read: impl FnOnce(&mut Section<'_, 't>, &T) -> T,
) -> T {
    let mut section = section(root, name, problems);
    let keys = read(&mut section, &T::default());
    section.finish();
    keys
}

/// The section `name`, to be read; what is there and is no table is a problem.
fn section<'s, 't>(root: &'s DeTable<'t>, name: &str, problems: &'s mut Problems<'t>) -> Section<'s, 't> {
    let value = root.get(name);
    let table = value.and_then(|value| value.get_ref().as_table());
    let at = value.map(|value| value.span().start);
    if value.is_some() && table.is_none() {
        problems.add(at, name, format!("takes a table, begun with a line [{name}]"));
    }
    Section::new(name.to_owned(), at, table, problems)
}

/// Whether a part of the file may be repeated in a message: a key given twice is, half a file is not.
fn is_short(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.contains('\n')
}

/// Where the value of `server.line_bytes_max` or `sinks[1].path` stands in the text.
fn locate(root: &DeTable<'_>, key: &str) -> Option<usize> {
    let (section, key) = key.split_once('.')?;
    let value = match section.split_once('[') {
        None => root.get(section)?.get_ref().get(key)?,
        Some((section, index)) => {
            let index: usize = index.strip_suffix(']')?.parse().ok()?;
            DeValue::get(root.get(section)?.get_ref(), index)?.get_ref().get(key)?
        }
    };
    Some(value.span().start)
}
