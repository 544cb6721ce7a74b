//! Reads a configuration file.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::common::{COMMON_KEYS, CommonKeys};
use super::{Common, ConfigError, Defaults};

/// More than any configuration.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// A configuration that was read and checked.
#[derive(Debug)]
pub(crate) struct Loaded<C> {
    /// The common keys.
    pub(crate) common: Common,
    /// The connector's own keys.
    pub(crate) own: C,
    /// All of it as TOML, with the defaults filled in.
    pub(crate) rendered: String,
}

/// Reads the file. Messages begin with the file and, where one is to blame, the line; no line of the file is repeated in
/// them, because it might hold a secret that does not belong there.
pub(crate) fn load<C: DeserializeOwned + Serialize>(
    path: &Path,
    sink: &str,
    defaults: Defaults,
) -> Result<Loaded<C>, ConfigError> {
    let size = std::fs::metadata(path).map_err(|error| ConfigError::file(path, &error))?.len();
    if size > CONFIG_BYTES_MAX {
        return Err(ConfigError::new(format!("{} has more than {CONFIG_BYTES_MAX} bytes", path.display())));
    }
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::file(path, &error))?;
    let folder = std::path::absolute(path).map_err(|error| ConfigError::file(path, &error))?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    parse(&text, folder, sink, defaults).map_err(|error| place(path, &text, &error))
}

fn parse<C: DeserializeOwned + Serialize>(
    text: &str,
    folder: &Path,
    sink: &str,
    defaults: Defaults,
) -> Result<Loaded<C>, ConfigError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| syntax(text, &error))?;
    let (mut common, mut own) = (toml::Table::new(), toml::Table::new());
    for (key, mut value) in table {
        if key.ends_with("_file") || key.ends_with("_files") {
            make_absolute(&mut value, folder);
        }
        let side = if COMMON_KEYS.contains(&key.as_str()) { &mut common } else { &mut own };
        side.insert(key, value);
    }
    let common: CommonKeys = typed(common)?;
    let own: C = typed(own)?;
    let common = common.filled(defaults);
    let rendered = render(&common, &own)?;
    Ok(Loaded { common: common.check(sink, defaults)?, own, rendered })
}

/// Relative paths start at the configuration file's folder.
fn make_absolute(value: &mut toml::Value, folder: &Path) {
    match value {
        toml::Value::String(path) => {
            if let Some(absolute) = folder.join(&*path).to_str() {
                absolute.clone_into(path);
            }
        }
        toml::Value::Array(paths) => paths.iter_mut().for_each(|path| make_absolute(path, folder)),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => {}
    }
}

fn typed<T: DeserializeOwned>(table: toml::Table) -> Result<T, ConfigError> {
    table.try_into().map_err(|error: toml::de::Error| {
        let text = error.to_string();
        let key = text.rsplit_once("in `").and_then(|(_, rest)| rest.trim_end().strip_suffix('`'));
        let mut message = error.message().to_owned();
        if let Some(unknown) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
            let unknown = unknown.to_owned();
            message = message.replacen("unknown field", "unknown key", 1);
            message.push_str("; all connectors also take ");
            message.push_str(&COMMON_KEYS.join(", "));
            return ConfigError::key(unknown, message);
        }
        match key {
            Some(key) => ConfigError::key(key, message),
            None => ConfigError::new(message.replacen("missing field", "missing key", 1)),
        }
    })
}

fn render<C: Serialize>(common: &CommonKeys, own: &C) -> Result<String, ConfigError> {
    let table = |error: toml::ser::Error| ConfigError::new(format!("cannot be shown as TOML: {error}"));
    let own = toml::to_string(own).map_err(table)?;
    let common = toml::to_string(common).map_err(table)?;
    // Tables come last in TOML, and only a connector's own part may have some.
    Ok(format!("{common}{own}"))
}

/// Without the excerpt that the parser would show.
fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return ConfigError::new(error.message());
    };
    // The file is TOML, but holds a number of more than 64 bits, which nothing takes.
    let key = before.lines().last().and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    match key.filter(|_| error.message().starts_with("invalid type: integer")) {
        Some(key) => ConfigError::key(key, "this number is out of range of any key"),
        None => ConfigError::new(format!("line {}: {}", before.matches('\n').count() + 1, error.message())),
    }
}

fn place(path: &Path, text: &str, error: &ConfigError) -> ConfigError {
    if error.is_permission() {
        return error.clone();
    }
    let line = error.key_name().and_then(|key| line_of(text, key));
    let place = line.map_or_else(|| path.display().to_string(), |line| format!("{}:{line}", path.display()));
    ConfigError::new(format!("{place}: {error}"))
}

/// Where a top-level key is set, from 1.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let key = key.split('.').next()?;
    let sets = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.lines().position(sets).map(|index| index + 1)
}
