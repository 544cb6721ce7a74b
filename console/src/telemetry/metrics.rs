//! The answer to `daemon.metrics`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// All metrics of the daemon.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Families {
    /// One for each name.
    #[serde(rename = "metrics")]
    pub families: Vec<Family>,
}

/// One metric with all its label sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What it means.
    #[serde(default)]
    pub help: String,
    /// Its values.
    #[serde(default)]
    pub samples: Vec<Sample>,
}

/// One value, or one histogram.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// What it is the value of.
    pub labels: BTreeMap<String, Value>,
    /// Of a counter or a gauge.
    pub value: Option<f64>,
    /// Of a histogram.
    pub buckets: Vec<Bucket>,
    /// Of a histogram: the sum of what was observed.
    pub sum: Option<f64>,
    /// Of a histogram: how many observations.
    pub count: Option<f64>,
}

/// How many observations were at most this large.
#[derive(Debug, Clone, Deserialize)]
pub struct Bucket {
    /// The bound, as text; `+Inf` for the last.
    pub le: String,
    /// The observations, smaller ones included.
    pub count: f64,
}

impl Families {
    /// The family of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }
}

impl Family {
    /// The samples whose label `name` has this value.
    pub fn with_label<'a>(&'a self, name: &'a str, value: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.labels.get(name).and_then(Value::as_str) == Some(value))
    }
}
