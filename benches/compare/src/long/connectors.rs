//! The connectors beside minimal publishers.

use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};

/// Delivers a backlog with each connector, then sends the same events with a minimal publisher and the same confirmations
#[derive(Debug, clap::Args)]
pub struct ConnectorsArgs {
    /// The connectors to measure
    #[arg(default_values = ["webhook", "nats", "rabbitmq", "kafka", "redis", "postgres"])]
    names: Vec<String>,
}

/// What begins the line that a connector's test prints.
const RESULT: &str = "throughput: ";

/// Runs the test that measures each of them against the target's real server, and prints a table.
pub fn connectors(args: &ConnectorsArgs) -> Result<()> {
    let mut table = String::from("| connector | it, the minimal publisher, their ratio, its memory |\n| --- | --- |\n");
    let mut failed = Vec::new();
    for name in &args.names {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--release", "--locked", "--package", &format!("orderd-sink-{name}"), "--test", "suite"]);
        cargo.args(["throughput::", "--", "--ignored", "--nocapture"]);
        let output = cargo.stderr(Stdio::inherit()).output().context("cargo does not run")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        // The line may come after the name of the test.
        let result = printed.lines().find_map(|line| Some(line.split_once(RESULT)?.1)).unwrap_or("no result");
        eprintln!("{name}: {result}");
        table += &format!("| {name} | {result} |\n");
        if !output.status.success() {
            failed.push(name.as_str());
        }
    }
    print!("{table}");
    ensure!(failed.is_empty(), "the goal was missed by {}", failed.join(", "));
    Ok(())
}
