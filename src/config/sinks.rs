//! `[[sinks]]`: where events go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::daemon::{NAME_TAKES, name as daemon_name, path};
use super::limits::DeliveryConfig;
use super::paths::resolved;
use super::render::{NotUtf8, Rendering};
use super::section::{Problems, Section, Value};
use super::users::uids;

const NAME_CHARS_MAX: usize = 64;
/// More workers than this are a mistake in the file, not a wish.
const SINKS_MAX: usize = 64;

/// One sink, with its own worker and its own cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkConfig {
    /// Names it in status, logs and its cursor file.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
    /// Where it starts when it is new.
    pub start: SinkStart,
    /// How its events are handed out.
    pub delivery: DeliveryConfig,
    /// Users who may attach to it beside the operators; of a subscription alone.
    pub consumer_uids: Vec<u32>,
    /// With PostgreSQL as the store: the one daemon that relays it; `None` for any that configures it.
    pub daemon: Option<String>,
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// Lines appended to a file.
    File {
        /// The file; made if it is not there.
        path: PathBuf,
    },
    /// Lines on the daemon's standard output.
    Stdout,
    /// Handed to whichever program is attached.
    Subscription,
}

impl SinkKind {
    /// The name in the file.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Stdout => "stdout",
            Self::Subscription => "subscription",
        }
    }
}

/// Where a sink starts that has no cursor yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SinkStart {
    /// At the oldest event that the journal holds.
    #[default]
    Beginning,
    /// After the newest event.
    Now,
    /// With every order as it is, and then every event after that.
    Snapshot,
    /// With this event.
    Sequence(u64),
}

impl SinkStart {
    const ALL: [Self; 3] = [Self::Beginning, Self::Now, Self::Snapshot];

    /// The name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Beginning => "beginning",
            Self::Now => "now",
            Self::Snapshot => "snapshot",
            Self::Sequence(_) => "a sequence",
        }
    }
}

/// Reads the array; none there is none wanted.
pub(super) fn read<'t>(
    value: Option<&Value<'t>>,
    folder: &Path,
    delivery: &DeliveryConfig,
    problems: &mut Problems<'t>,
) -> Vec<SinkConfig> {
    const TAKES: &str = "takes an array of tables, each begun with a line [[sinks]]";
    let Some(value) = value else { return Vec::new() };
    let Some(entries) = value.get_ref().as_array() else {
        problems.add(Some(value.span().start), "sinks", TAKES);
        return Vec::new();
    };
    if entries.len() > SINKS_MAX {
        let message = format!("takes at most {SINKS_MAX} entries; here are {}", entries.len());
        problems.add(Some(value.span().start), "sinks", message);
        return Vec::new();
    }
    let mut taken = Taken::default();
    let mut sinks = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let name = format!("sinks[{index}]");
        match entry.get_ref() {
            DeValue::Table(table) => {
                let section = Section::new(name, Some(entry.span().start), Some(table), problems);
                sinks.extend(read_entry(section, index, folder, delivery, &mut taken));
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => problems.add(Some(entry.span().start), name, TAKES),
        }
    }
    sinks
}

/// What only one sink may have, and which sink has it.
#[derive(Default)]
struct Taken {
    names: HashMap<String, usize>,
    paths: HashMap<PathBuf, usize>,
    stdout: Option<usize>,
}

fn read_entry(
    mut section: Section<'_, '_>,
    index: usize,
    folder: &Path,
    delivery: &DeliveryConfig,
    taken: &mut Taken,
) -> Option<SinkConfig> {
    let name = read_name(&mut section, index, taken);
    let kind = read_kind(&mut section, index, folder, taken);
    let start = read_start(&mut section);
    let delivery = DeliveryConfig::read_keys(&mut section, delivery);
    let daemon = section.text("daemon", NAME_TAKES, daemon_name);
    let consumer_uids = uids(&mut section, "consumer_uids");
    if !consumer_uids.is_empty() && !matches!(kind, Some(SinkKind::Subscription) | None) {
        section.problem("consumer_uids", "only a sink of type \"subscription\" has consumers; leave it out");
    }
    section.finish();
    Some(SinkConfig { name: name?, kind: kind?, start, delivery, consumer_uids, daemon })
}

fn read_start(section: &mut Section<'_, '_>) -> SinkStart {
    let start = section.text("start", "\"beginning\", \"now\" or \"snapshot\"", |text| {
        SinkStart::ALL.into_iter().find(|start| start.as_str() == text)
    });
    if section.value("start_sequence").is_none() {
        return start.unwrap_or_default();
    }
    if start.is_some() {
        section.problem("start_sequence", "start says already where the sink starts; leave one of them out");
    }
    SinkStart::Sequence(section.number("start_sequence", 1, 1..=i64::MAX.unsigned_abs()))
}

fn read_name(section: &mut Section<'_, '_>, index: usize, taken: &mut Taken) -> Option<String> {
    const TAKES: &str = "a name of 1 to 64 characters a-z, 0-9, _ and -, which no other sink has";
    let Some(value) = section.value("name") else {
        section.missing("name", TAKES);
        return None;
    };
    let sound = |text: &&str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed)
    };
    let Some(name) = value.get_ref().as_str().filter(sound) else {
        section.refuse("name", value, TAKES);
        return None;
    };
    if let Some(other) = taken.names.insert(name.to_owned(), index) {
        section.problem("name", format!("\"{name}\" is the name of sinks[{other}] already; takes {TAKES}"));
    }
    Some(name.to_owned())
}

fn read_kind(section: &mut Section<'_, '_>, index: usize, folder: &Path, taken: &mut Taken) -> Option<SinkKind> {
    const TAKES: &str = "\"file\", \"stdout\" or \"subscription\"";
    const PATH_TAKES: &str = "the path of a file that no other sink writes";
    let kind = match section.value("type") {
        None => {
            section.missing("type", TAKES);
            None
        }
        Some(value) => {
            let kind = value.get_ref().as_str().filter(|text| ["file", "stdout", "subscription"].contains(text));
            if kind.is_none() {
                section.refuse("type", value, TAKES);
            }
            kind
        }
    };
    let has_path = section.value("path").is_some();
    match kind? {
        "stdout" => {
            if has_path {
                section.problem("path", "a sink of type \"stdout\" has no path; leave it out");
            }
            if let Some(other) = taken.stdout.replace(index) {
                section.problem("type", format!("sinks[{other}] writes to standard output already; only one may"));
            }
            Some(SinkKind::Stdout)
        }
        "subscription" => {
            if has_path {
                section.problem("path", "a sink of type \"subscription\" has no path; leave it out");
            }
            Some(SinkKind::Subscription)
        }
        _ if !has_path => {
            section.missing("path", PATH_TAKES);
            None
        }
        _ => {
            let path = path(section, "path", folder)?;
            if let Some(other) = taken.paths.insert(resolved(&path), index) {
                section.problem("path", format!("sinks[{other}] writes this file already; takes {PATH_TAKES}"));
            }
            Some(SinkKind::File { path })
        }
    }
}

impl SinkConfig {
    pub(super) fn render(&self, delivery: &DeliveryConfig, out: &mut Rendering) -> Result<(), NotUtf8> {
        out.text("name", &self.name);
        out.text("type", self.kind.as_str());
        if let SinkKind::File { path } = &self.kind {
            out.path("path", path)?;
        }
        match self.start {
            SinkStart::Sequence(sequence) => out.number("start_sequence", sequence),
            SinkStart::Beginning | SinkStart::Now | SinkStart::Snapshot => out.text("start", self.start.as_str()),
        }
        if let Some(daemon) = &self.daemon {
            out.text("daemon", daemon);
        }
        self.delivery.render_changed(delivery, out);
        if self.kind == SinkKind::Subscription {
            out.array("consumer_uids", &self.consumer_uids);
        }
        Ok(())
    }
}
