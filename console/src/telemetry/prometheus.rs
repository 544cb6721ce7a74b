//! Prometheus' text format, version 0.0.4.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::metrics::{Families, Family, Sample};

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until a restart.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram].into_iter().find(|kind| kind.name() == text)
    }
}

/// The text under construction. A name appears once; what would make the text unreadable is left out and counted.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    names: BTreeSet<String>,
    left_out: u64,
}

impl Exposition {
    /// A metric of the console's own, with a value for each set of labels.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str, samples: &[(&[(&str, &str)], f64)]) {
        if !self.header(name, kind, help) {
            return;
        }
        for (labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            self.line(name, &labels, None, *value);
        }
    }

    /// Everything that the daemon said.
    pub fn daemon(&mut self, metrics: &Families) {
        for family in &metrics.families {
            self.daemon_family(family);
        }
    }

    /// How many families or samples of the daemon's could not be written.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn daemon_family(&mut self, family: &Family) {
        let kind = Kind::parse(&family.kind);
        let Some(kind) = kind.filter(|kind| self.header(&family.name, *kind, &family.help)) else {
            self.left_out += 1;
            return;
        };
        for sample in &family.samples {
            match (kind, sample.value, sample.count) {
                (Kind::Counter | Kind::Gauge, Some(value), _) => {
                    self.line(&family.name, &labels(sample), None, value);
                }
                (Kind::Histogram, _, Some(count)) => self.histogram(&family.name, sample, count),
                (Kind::Counter | Kind::Gauge | Kind::Histogram, _, _) => self.left_out += 1,
            }
        }
    }

    fn histogram(&mut self, name: &str, sample: &Sample, count: f64) {
        let labels = labels(sample);
        for bucket in sample.buckets.iter().filter(|bucket| bucket.le.parse::<f64>().is_ok()) {
            self.line(&format!("{name}_bucket"), &labels, Some(&bucket.le), bucket.count);
        }
        self.line(&format!("{name}_sum"), &labels, None, sample.sum.unwrap_or_default());
        self.line(&format!("{name}_count"), &labels, None, count);
    }

    fn header(&mut self, name: &str, kind: Kind, help: &str) -> bool {
        if !is_name(name) || !self.names.insert(name.to_owned()) {
            return false;
        }
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing into a String does not fail.
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name()).ok();
        true
    }

    fn line(&mut self, name: &str, labels: &[(String, String)], le: Option<&str>, value: f64) {
        let mut pairs = String::new();
        let le = le.map(|le| ("le".to_owned(), le.to_owned()));
        for (label, text) in labels.iter().chain(&le) {
            let comma = if pairs.is_empty() { "" } else { "," };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(pairs, "{comma}{label}=\"{text}\"").ok();
        }
        let pairs = if pairs.is_empty() { pairs } else { format!("{{{pairs}}}") };
        let value = if value.is_infinite() {
            if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
        } else {
            value.to_string()
        };
        writeln!(self.text, "{name}{pairs} {value}").ok();
    }
}

/// The labels that Prometheus can read; `le` is the histogram's own.
fn labels(sample: &Sample) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let readable = |name: &str| is_name(name) && !name.contains(':') && name != "le";
    sample.labels.iter().filter(|(name, _)| readable(name)).map(|(name, value)| (name.clone(), text(value))).collect()
}

fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':');
    begins && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(metrics: serde_json::Value) -> (String, u64) {
        let mut exposition = Exposition::default();
        exposition.daemon(&serde_json::from_value(serde_json::json!({"metrics": metrics})).unwrap());
        let left_out = exposition.left_out();
        (exposition.into_text(), left_out)
    }

    #[test]
    fn labels_and_help_cannot_break_out_of_their_line() {
        let (text, left_out) = rendered(serde_json::json!([{
            "name": "m", "kind": "gauge", "help": "a\nb\\",
            "samples": [{"labels": {"sink": "x\"} 1\nevil 2\\"}, "value": 1.5}]
        }]));
        assert_eq!(text, "# HELP m a\\nb\\\\\n# TYPE m gauge\nm{sink=\"x\\\"} 1\\nevil 2\\\\\"} 1.5\n");
        assert_eq!(left_out, 0);
    }

    #[test]
    fn a_histogram_has_buckets_a_sum_and_a_count() {
        let (text, _) = rendered(serde_json::json!([{
            "name": "h", "kind": "histogram", "help": "H.",
            "samples": [{
                "labels": {}, "buckets": [{"le": "0.1", "count": 1}, {"le": "+Inf", "count": 2}], "sum": 7, "count": 2,
            }]
        }]));
        assert!(text.ends_with("h_bucket{le=\"0.1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 7\nh_count 2\n"), "{text}");
    }

    #[test]
    fn what_prometheus_cannot_read_is_left_out_and_counted() {
        let (text, left_out) = rendered(serde_json::json!([
            {"name": "bad name", "kind": "gauge", "samples": []},
            {"name": "twice", "kind": "gauge", "help": "T.", "samples": [{"labels": {"bad-label": "x"}, "value": 1}]},
            {"name": "twice", "kind": "gauge", "help": "T.", "samples": [{"value": 2}]},
            {"name": "odd", "kind": "summary", "samples": []},
            {"name": "none", "kind": "counter", "help": "N.", "samples": [{"labels": {}}]},
        ]));
        assert!(text.contains("twice 1\n") && !text.contains("twice 2") && !text.contains("bad"), "{text}");
        assert_eq!(left_out, 4);
    }
}
