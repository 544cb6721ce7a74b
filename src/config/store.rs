//! `[store]`: the journal, or PostgreSQL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::daemon::path;
use super::render::{NotUtf8, Rendering};
use super::section::Section;

/// What keeps the plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreType {
    /// The journal below `daemon.data_dir`.
    #[default]
    Journal,
    /// A PostgreSQL database that several daemons may share.
    Postgres,
}

impl StoreType {
    const ALL: [Self; 2] = [Self::Journal, Self::Postgres];

    /// The name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Postgres => "postgres",
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// What keeps the plans.
    pub store_type: StoreType,
    /// The database's address, without a password.
    pub url: Option<String>,
    /// A file with the address, which may hold a password.
    pub url_file: Option<PathBuf>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// The authorities that may have signed the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// How long the relay of a sink, or a transaction of a daemon that hangs, may hold up the others.
    pub lease: Duration,
    /// How long connecting may take.
    pub connect_ms_max: Duration,
    /// How long one statement may take.
    pub statement_ms_max: Duration,
    /// How long a statement may wait for a lock.
    pub lock_ms_max: Duration,
    /// How long a commit whose answer was lost is asked for, before the answer is `outcome_unknown`.
    pub outcome_ms_max: Duration,
    /// The shortest wait before connecting again.
    pub backoff_ms_min: Duration,
    /// The longest.
    pub backoff_ms_max: Duration,
    /// How often others' changes are looked for while nothing comes.
    pub poll_ms: Duration,
    /// How often a batch that lost a race is decided again before its commands are tried one by one.
    pub conflict_retries_max: u64,
    /// For this many events ahead the outbox has partitions.
    pub partition_events_ahead: u64,
    /// This many events are kept although every sink has passed them.
    pub retain_events: u64,
    /// This many decisions are kept although no sink needs them.
    pub retain_decisions: u64,
    /// How often partitions are made and dropped, and commands and decisions forgotten.
    pub maintain_ms: Duration,
    /// How much a transaction of a migration brings: orders, plans, commands or lanes.
    pub migrate_rows_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            store_type: StoreType::default(),
            url: None,
            url_file: None,
            password_file: None,
            ca_file: None,
            lease: Duration::from_millis(10_000),
            connect_ms_max: Duration::from_millis(5_000),
            statement_ms_max: Duration::from_millis(5_000),
            lock_ms_max: Duration::from_millis(2_000),
            outcome_ms_max: Duration::from_millis(5_000),
            backoff_ms_min: Duration::from_millis(100),
            backoff_ms_max: Duration::from_millis(5_000),
            poll_ms: Duration::from_millis(250),
            conflict_retries_max: 8,
            partition_events_ahead: 1_000_000,
            retain_events: 1_000_000,
            retain_decisions: 1_000_000,
            maintain_ms: Duration::from_millis(10_000),
            migrate_rows_max: 2_000,
        }
    }
}

const URL_TAKES: &str = "an address of PostgreSQL without a password, such as \"postgres://orderd@db.example/orders\"";
const MINUTE_MS: u64 = 60_000;

impl StoreConfig {
    pub(super) fn read(mut section: Section<'_, '_>, folder: &Path) -> Self {
        let default = Self::default();
        let store_type = section.text("type", "\"journal\" or \"postgres\"", |text| {
            StoreType::ALL.into_iter().find(|store_type| store_type.as_str() == text)
        });
        let ms = |section: &mut Section<'_, '_>, key, default, least| section.number(key, default, least..=MINUTE_MS);
        let read = Self {
            store_type: store_type.unwrap_or_default(),
            // A value that is refused is shown, and this one may hold a password.
            url: section.secret_text("url", URL_TAKES, url),
            url_file: path(&mut section, "url_file", folder),
            password_file: path(&mut section, "password_file", folder),
            ca_file: path(&mut section, "ca_file", folder),
            lease: ms(&mut section, "lease_ms", default.lease, 1000),
            connect_ms_max: ms(&mut section, "connect_ms_max", default.connect_ms_max, 1),
            // The watchdog wants to see the executor more often than that.
            statement_ms_max: section.number("statement_ms_max", default.statement_ms_max, 1..=10_000),
            lock_ms_max: ms(&mut section, "lock_ms_max", default.lock_ms_max, 1),
            outcome_ms_max: section.number("outcome_ms_max", default.outcome_ms_max, 1..=10_000),
            backoff_ms_min: ms(&mut section, "backoff_ms_min", default.backoff_ms_min, 1),
            backoff_ms_max: ms(&mut section, "backoff_ms_max", default.backoff_ms_max, 1),
            poll_ms: ms(&mut section, "poll_ms", default.poll_ms, 1),
            conflict_retries_max: section.number("conflict_retries_max", default.conflict_retries_max, 0..=100),
            partition_events_ahead: section.number(
                "partition_events_ahead",
                default.partition_events_ahead,
                1..=1_000_000_000_000,
            ),
            retain_events: section.number("retain_events", default.retain_events, 0..=1_000_000_000_000),
            retain_decisions: section.number("retain_decisions", default.retain_decisions, 0..=1_000_000_000_000),
            maintain_ms: ms(&mut section, "maintain_ms", default.maintain_ms, 100),
            migrate_rows_max: section.number("migrate_rows_max", default.migrate_rows_max, 1..=100_000),
        };
        read.check(&mut section);
        section.finish();
        read
    }

    fn check(&self, section: &mut Section<'_, '_>) {
        if self.store_type == StoreType::Journal {
            return;
        }
        if cfg!(not(feature = "postgres")) {
            section.problem("type", "takes \"journal\" here; for PostgreSQL install the package orderd-postgres");
        }
        match (&self.url, &self.url_file) {
            (None, None) => section.missing("url_file", "the path of a file with the database's address; or give url"),
            (Some(_), Some(_)) => section.problem("url_file", "is one too many beside url; give one of them"),
            (Some(_), None) | (None, Some(_)) => {}
        }
        if self.backoff_ms_max < self.backoff_ms_min {
            section.problem("backoff_ms_max", "takes at least as much as store.backoff_ms_min");
        }
    }

    pub(super) fn render(&self, out: &mut Rendering) -> Result<(), NotUtf8> {
        out.text("type", self.store_type.as_str());
        if let Some(url) = &self.url {
            out.text("url", url);
        }
        let files = [("url_file", &self.url_file), ("password_file", &self.password_file), ("ca_file", &self.ca_file)];
        for (key, file) in files {
            if let Some(file) = file {
                out.path(key, file)?;
            }
        }
        out.number("lease_ms", self.lease);
        out.number("connect_ms_max", self.connect_ms_max);
        out.number("statement_ms_max", self.statement_ms_max);
        out.number("lock_ms_max", self.lock_ms_max);
        out.number("outcome_ms_max", self.outcome_ms_max);
        out.number("backoff_ms_min", self.backoff_ms_min);
        out.number("backoff_ms_max", self.backoff_ms_max);
        out.number("poll_ms", self.poll_ms);
        out.number("conflict_retries_max", self.conflict_retries_max);
        out.number("partition_events_ahead", self.partition_events_ahead);
        out.number("retain_events", self.retain_events);
        out.number("retain_decisions", self.retain_decisions);
        out.number("maintain_ms", self.maintain_ms);
        out.number("migrate_rows_max", self.migrate_rows_max);
        Ok(())
    }
}

/// An address without a password, in its authority, in its parameters, or in libpq's other form.
fn url(text: &str) -> Option<String> {
    const PASSWORDS: [&str; 4] = ["password", "sslpassword", "passwd", "pass"];
    // The client takes everything before the first @ for user and password, whatever else is in it.
    let in_authority = text.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let in_authority = in_authority.is_some_and(|(user, _)| user.contains(':'));
    let (_, query) = text.split_once('?').unwrap_or((text, ""));
    let names = query.split('&').chain(text.split_whitespace()).filter_map(|part| part.split('=').next());
    let in_names = names.map(|name| name.trim().to_ascii_lowercase()).any(|name| PASSWORDS.contains(&name.as_str()));
    (!text.is_empty() && !in_authority && !in_names).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn an_address_with_a_password_is_refused_wherever_it_is() {
        for sound in ["postgres://orderd@db/orders", "postgres://u@a:1,b:2/d?sslmode=require", "host=/run user=orderd"]
        {
            assert_eq!(url(sound).as_deref(), Some(sound));
        }
        for wrong in [
            "postgres://orderd:secret@db/orders",
            "postgres://orderd@db/orders?password=secret",
            "postgres://orderd@db/orders?sslmode=require&PassWord=secret",
            "postgres://orderd:se?cret@db/orders",
            "host=db password=secret",
            "host=db password = secret",
            "",
        ] {
            assert_eq!(url(wrong), None, "{wrong}");
        }
    }
}
