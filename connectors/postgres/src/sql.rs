//! The statements.

use std::fmt;
use std::str::FromStr;

/// The longest name that PostgreSQL keeps.
const NAME_BYTES_MAX: usize = 63;

const PROGRESS: &str = "_progress";

/// The inbox table, and beside it the one that says how far each sink has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    schema: Option<String>,
    name: String,
}

impl Default for Table {
    fn default() -> Self {
        Self { schema: None, name: "orderd_inbox".to_owned() }
    }
}

impl FromStr for Table {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (schema, name) = text.split_once('.').map_or((None, text), |(schema, name)| (Some(schema), name));
        let is_name = |name: &str| {
            let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(plain)
        };
        if !schema.is_none_or(is_name) || !is_name(name) || name.len() + PROGRESS.len() > NAME_BYTES_MAX {
            let bytes_max = NAME_BYTES_MAX - PROGRESS.len();
            return Err(format!(
                "{text:?} is not a table's name: it takes NAME or SCHEMA.NAME of letters, digits and _, at most {bytes_max} bytes"
            ));
        }
        Ok(Self { schema: schema.map(str::to_owned), name: name.to_owned() })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "\"{schema}\".")?;
        }
        write!(f, "\"{}\"", self.name)
    }
}

impl Table {
    /// The table that says how far each sink has come.
    pub fn progress(&self) -> Self {
        Self { schema: self.schema.clone(), name: format!("{}{PROGRESS}", self.name) }
    }

    /// What `schema` prints.
    pub fn ddl(&self) -> String {
        let progress = self.progress();
        format!(
            "\
-- Each event exactly once, whatever is delivered again.
CREATE TABLE IF NOT EXISTS {self} (
    event_id      uuid        PRIMARY KEY,
    sequence      bigint      NOT NULL,
    order_id      uuid        NOT NULL,
    order_version integer     NOT NULL,
    type          text        NOT NULL,
    time          timestamptz NOT NULL,
    -- The CloudEvent, byte for byte as the daemon writes it; event::jsonb for its operators.
    event         json        NOT NULL
);

-- How far each sink has come; written in the same transaction. May be left out.
CREATE TABLE IF NOT EXISTS {progress} (
    sink         text        PRIMARY KEY,
    sequence     bigint      NOT NULL,
    events_total bigint      NOT NULL,
    updated_at   timestamptz NOT NULL
);
"
        )
    }

    /// One statement, which is one transaction: the events that are not there yet, and with `$8` the sink's progress.
    pub fn insert(&self, with_progress: bool) -> String {
        let insert = format!(
            "INSERT INTO {self} (event_id, sequence, order_id, order_version, type, time, event) \
             SELECT e.id::uuid, e.sequence, e.order_id::uuid, e.version, e.type, e.time::timestamptz, e.event::json \
             FROM unnest($1::text[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[]) \
             AS e (id, sequence, order_id, version, type, time, event) \
             ON CONFLICT (event_id) DO NOTHING"
        );
        if !with_progress {
            return insert;
        }
        let progress = self.progress();
        format!(
            "WITH inserted AS ({insert} RETURNING 1) \
             INSERT INTO {progress} AS p (sink, sequence, events_total, updated_at) \
             SELECT $8::text, (SELECT max(s) FROM unnest($2::bigint[]) AS s), (SELECT count(*) FROM inserted), now() \
             ON CONFLICT (sink) DO UPDATE SET sequence = greatest(p.sequence, excluded.sequence), \
             events_total = p.events_total + excluded.events_total, updated_at = excluded.updated_at"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_s_name_is_quoted_and_nothing_else_gets_in() {
        let table: Table = "app.Inbox_1".parse().unwrap();
        assert_eq!(table.to_string(), "\"app\".\"Inbox_1\"");
        assert_eq!(table.progress().to_string(), "\"app\".\"Inbox_1_progress\"");
        for wrong in ["", ".", "a.", ".a", "a.b.c", "a b", "a\"b", "a;b", "a-b", &"a".repeat(55)] {
            wrong.parse::<Table>().unwrap_err();
        }
    }
}
