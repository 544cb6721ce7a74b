//! `orderd metrics`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client_args::ClientArgs;
use super::exit::Failure;
use super::order_view::read;
use super::params::Params;

/// Print the daemon's metrics as Prometheus text
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd metrics | promtool check metrics\n  \
    orderd metrics > /var/lib/node_exporter/orderd.prom")]
pub struct MetricsArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Metrics<'r> {
    #[serde(borrow)]
    metrics: Vec<Metric<'r>>,
}

#[derive(Deserialize)]
struct Metric<'r> {
    name: String,
    kind: String,
    help: String,
    #[serde(borrow)]
    samples: Vec<Sample<'r>>,
}

/// A counter's or gauge's value, or a histogram's buckets, which are cumulative. Numbers keep their text.
#[derive(Deserialize)]
struct Sample<'r> {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(borrow)]
    value: Option<&'r RawValue>,
    #[serde(default, borrow)]
    buckets: Vec<Bucket<'r>>,
    #[serde(borrow)]
    sum: Option<&'r RawValue>,
    #[serde(borrow)]
    count: Option<&'r RawValue>,
}

#[derive(Deserialize)]
struct Bucket<'r> {
    le: String,
    #[serde(borrow)]
    count: &'r RawValue,
}

pub(super) fn run(args: &MetricsArgs, config: Option<&Path>) -> Result<(), Failure> {
    args.client.show(config, "daemon.metrics", &Params::default(), |result| {
        let Metrics { metrics } = read(result)?;
        Ok(metrics.iter().map(Metric::text).collect::<String>().trim_end().to_owned())
    })
}

impl Metric<'_> {
    /// In the text format, version 0.0.4.
    fn text(&self) -> String {
        let Self { name, kind, help, samples } = self;
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for sample in samples {
            sample.write(name, &mut text);
        }
        text
    }
}

impl Sample<'_> {
    fn write(&self, name: &str, text: &mut String) {
        let labels: Vec<_> =
            self.labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape_label(value))).collect();
        let mut line = |name: String, more: Option<String>, value: &str| {
            let labels: Vec<_> = labels.iter().cloned().chain(more).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // A String takes everything.
            writeln!(text, "{name}{labels} {value}").unwrap_or_default();
        };
        if let Some(value) = self.value {
            line(name.to_owned(), None, value.get());
        }
        let Some((sum, count)) = self.sum.zip(self.count) else { return };
        let finite = self.buckets.iter().filter(|bucket| bucket.le != "+Inf");
        for Bucket { le, count } in finite {
            line(format!("{name}_bucket"), Some(format!("le=\"{le}\"")), count.get());
        }
        line(format!("{name}_bucket"), Some("le=\"+Inf\"".to_owned()), count.get());
        line(format!("{name}_sum"), None, sum.get());
        line(format!("{name}_count"), None, count.get());
    }
}

fn escape_label(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_histograms_are_prometheus_text() {
        let json = r#"{"name":"orderd_a","kind":"histogram","help":"x\ny","samples":[
            {"labels":{"sink":"a\"b"},"buckets":[{"le":"0.1","count":1},{"le":"+Inf","count":3}],"sum":0.5,"count":3}]}"#;
        let metric: Metric<'_> = serde_json::from_str(json).unwrap();
        let text = "# HELP orderd_a x\\ny\n# TYPE orderd_a histogram\n\
            orderd_a_bucket{sink=\"a\\\"b\",le=\"0.1\"} 1\norderd_a_bucket{sink=\"a\\\"b\",le=\"+Inf\"} 3\n\
            orderd_a_sum{sink=\"a\\\"b\"} 0.5\norderd_a_count{sink=\"a\\\"b\"} 3\n";
        assert_eq!(metric.text(), text);
        let json = r#"{"name":"up","kind":"gauge","help":"h","samples":[{"labels":{},"value":1},{"labels":{"a":"b"},"value":0.5}]}"#;
        let metric: Metric<'_> = serde_json::from_str(json).unwrap();
        assert_eq!(metric.text(), "# HELP up h\n# TYPE up gauge\nup 1\nup{a=\"b\"} 0.5\n");
    }
}
