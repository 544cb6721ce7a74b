//! The alert rules and the dashboard that are shipped.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::metrics::promtool;

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(file)
}

#[test]
fn promtool_reads_the_rules_and_each_fires_when_it_should() {
    let check = ["check", "rules", packaging("prometheus/orderd.rules.yml").to_str().unwrap()].map(str::to_owned);
    promtool(&check.each_ref().map(String::as_str), "").unwrap();
    let test = packaging("prometheus/orderd.rules.test.yml");
    promtool(&["test", "rules", test.to_str().unwrap()], "").unwrap();
}

#[test]
fn every_alert_has_a_test_that_sees_it_fire() {
    let rules = std::fs::read_to_string(packaging("prometheus/orderd.rules.yml")).unwrap();
    let tests = std::fs::read_to_string(packaging("prometheus/orderd.rules.test.yml")).unwrap();
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 8, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "no test of {alert}");
    }
}

#[test]
fn the_dashboard_is_json_whose_queries_promtool_can_read() {
    let text = std::fs::read_to_string(packaging("grafana/orderd.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    collect(&dashboard, &mut queries);
    assert!(queries.len() >= 8, "{queries:?}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("queries.yml");
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (number, query) in queries.iter().enumerate() {
        let query = query.replace("$__rate_interval", "1m").replace("$sink", ".*");
        rules += &format!("      - record: query:{number}\n        expr: {}\n", serde_json::to_string(&query).unwrap());
    }
    std::fs::write(&file, rules).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "").unwrap();
}

fn collect(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(query) if name == "expr" => queries.push(query.to_owned()),
                    _ => collect(member, queries),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, queries)),
        _ => {}
    }
}
