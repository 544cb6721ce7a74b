//! The statements of SCHEMA.sql, by name: between "/* @name" and "*/".

/// The schema with the statements in it.
pub const SCHEMA_SQL: &str = include_str!("../../SCHEMA.sql");

/// The text of a statement; those that begin and end a transaction are their own.
pub(super) fn statement(name: &'static str) -> Option<&'static str> {
    if [BEGIN, BEGIN_SNAPSHOT, COMMIT].contains(&name) {
        return Some(name);
    }
    let all = SCHEMA_SQL.split("\n/* @").skip(1);
    let found =
        all.filter_map(|rest| rest.split_once("*/")?.0.split_once('\n')).find(|(named, _)| named.trim() == name);
    found.map(|(_, sql)| sql.trim())
}

/// Begins a transaction.
pub(super) const BEGIN: &str = "BEGIN";
/// Begins one that sees everything as of one moment.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Ends it.
pub(super) const COMMIT: &str = "COMMIT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_by_their_whole_name() {
        assert!(statement("find_orders").is_some_and(|sql| sql.starts_with("SELECT order_id") && sql.ends_with("[])")));
        assert_eq!(statement("find_order"), None);
        assert_eq!(statement("BEGIN"), Some("BEGIN"));
    }
}
