//! `[daemon]` and `[log]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::render::{NotUtf8, Rendering};
use super::section::Section;
use super::users::{look_up_group, uids};

/// The longest path that the address of a Unix socket holds.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

const EVENT_SOURCE_DEFAULT: &str = "/orderd";
const EVENT_SOURCE_BYTES_MAX: usize = 255;
const NAME_DEFAULT: &str = "orderd";
const NAME_BYTES_MAX: usize = 64;
pub(super) const NAME_TAKES: &str = "a name of 1 to 64 letters, digits, '.', '-' and '_'";
const SOCKET_MODE_DEFAULT: u32 = 0o660;
const SHUTDOWN_MS_DEFAULT: u64 = 5000;
/// A stop takes at most 10 seconds, and sinks and threads need some of them.
const SHUTDOWN_MS_MAX: u64 = 8000;

/// `[daemon]`: where it lives and who may talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonConfig {
    /// What this daemon is called among those that share a database.
    pub name: String,
    /// The store's folder; made if it is not there.
    pub data_dir: PathBuf,
    /// The socket that clients connect to.
    pub socket: PathBuf,
    /// The `source` of every event: which system speaks.
    pub event_source: String,
    /// The socket's permissions.
    pub socket_mode: u32,
    /// The socket's group, by name or number; none leaves it as the system makes it.
    pub socket_group: Option<String>,
    /// Users that may send commands; none listed means all that the socket's permissions let in.
    pub allowed_uids: Vec<u32>,
    /// Users that may decide about delivery, beside root and the daemon's own.
    pub operator_uids: Vec<u32>,
    /// Users that may see what operators see.
    pub observer_uids: Vec<u32>,
    /// How long a stop may wait for clients to read their last answers.
    pub shutdown_ms_max: Duration,
}

impl DaemonConfig {
    pub(super) fn read(mut section: Section<'_, '_>, folder: &Path) -> Self {
        let read = Self {
            name: section.text("name", NAME_TAKES, name).unwrap_or_else(|| NAME_DEFAULT.to_owned()),
            data_dir: path(&mut section, "data_dir", folder).unwrap_or_else(|| folder.join("data")),
            socket: path(&mut section, "socket", folder).unwrap_or_else(|| folder.join("data/orderd.sock")),
            event_source: section
                .text("event_source", EVENT_SOURCE_TAKES, event_source)
                .unwrap_or_else(|| EVENT_SOURCE_DEFAULT.to_owned()),
            socket_mode: section.text("socket_mode", SOCKET_MODE_TAKES, socket_mode).unwrap_or(SOCKET_MODE_DEFAULT),
            socket_group: section.text("socket_group", SOCKET_GROUP_TAKES, socket_group).flatten(),
            allowed_uids: uids(&mut section, "allowed_uids"),
            operator_uids: uids(&mut section, "operator_uids"),
            observer_uids: uids(&mut section, "observer_uids"),
            shutdown_ms_max: section.number(
                "shutdown_ms_max",
                Duration::from_millis(SHUTDOWN_MS_DEFAULT),
                1..=SHUTDOWN_MS_MAX,
            ),
        };
        if let Some(group) = &read.socket_group {
            look_up_group(&mut section, "socket_group", group);
        }
        let socket_bytes = read.socket.as_os_str().len();
        if socket_bytes > SOCKET_PATH_BYTES_MAX {
            section.problem(
                "socket",
                format!(
                    "takes a path of at most {SOCKET_PATH_BYTES_MAX} bytes, as socket addresses do; {} has {socket_bytes}",
                    read.socket.display()
                ),
            );
        }
        section.finish();
        read
    }

    pub(super) fn render(&self, out: &mut Rendering) -> Result<(), NotUtf8> {
        out.text("name", &self.name);
        out.path("data_dir", &self.data_dir)?;
        out.path("socket", &self.socket)?;
        out.text("event_source", &self.event_source);
        out.text("socket_mode", &format!("{:04o}", self.socket_mode));
        out.text("socket_group", self.socket_group.as_deref().unwrap_or_default());
        out.array("allowed_uids", &self.allowed_uids);
        out.array("operator_uids", &self.operator_uids);
        out.array("observer_uids", &self.observer_uids);
        out.number("shutdown_ms_max", self.shutdown_ms_max);
        Ok(())
    }
}

/// A path that is not empty; a relative one starts at `folder`.
pub(super) fn path(section: &mut Section<'_, '_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
    section.text(key, "a path", |text| {
        (!text.is_empty() && !text.contains('\0')).then(|| folder.join(text).components().collect())
    })
}

const EVENT_SOURCE_TAKES: &str =
    "a URI reference of 1 to 255 characters, such as \"/orderd\" or \"https://shop.example/orders\"";

/// RFC 3986, appendix A: the characters a URI reference is made of.
fn event_source(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    ((1..=EVENT_SOURCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

pub(super) fn name(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    ((1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

const SOCKET_MODE_TAKES: &str = "octal permissions as a string, such as \"0660\", at most \"0777\"";

fn socket_mode(text: &str) -> Option<u32> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| digits)?;
    (mode <= 0o777).then_some(mode)
}

const SOCKET_GROUP_TAKES: &str = "a group's name or number, or \"\" to leave the group alone";

fn socket_group(text: &str) -> Option<Option<String>> {
    let sound = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic() && !b":,/\\".contains(&byte));
    sound.then(|| (!text.is_empty()).then(|| text.to_owned()))
}

/// `[log]`: what is told on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogConfig {
    /// From which weight on.
    pub level: LogLevel,
    /// In which form.
    pub format: LogFormat,
}

/// The weight of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something needs a look.
    Warn,
    /// What the daemon does in large steps.
    #[default]
    Info,
    /// What it does in small steps.
    Debug,
    /// Everything.
    Trace,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogLevel {
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl LogFormat {
    const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// The name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl LogConfig {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let level = section.text("level", "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"", |text| {
            LogLevel::ALL.into_iter().find(|level| level.as_str() == text)
        });
        let format = section.text("format", "\"text\" or \"json\"", |text| {
            LogFormat::ALL.into_iter().find(|format| format.as_str() == text)
        });
        section.finish();
        Self { level: level.unwrap_or_default(), format: format.unwrap_or_default() }
    }

    pub(super) fn render(self, out: &mut Rendering) {
        out.text("level", self.level.as_str());
        out.text("format", self.format.as_str());
    }
}
