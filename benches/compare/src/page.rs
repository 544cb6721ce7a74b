//! The page of figures: the part of `docs/performance.md` between two marks, and the plots beside it.
//!
//! What stands outside the marks is written by hand and stays.

use crate::figures::{Comparison, Figures};
use crate::goals::{GOALS, number};
use crate::plot::{self, microseconds};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- figures: begin (written by `orderd-compare page`) -->";
const END: &str = "<!-- figures: end -->";

/// Writes page and plots.
pub fn write(docs: &Path, figures: &Figures) -> Result<()> {
    let page = docs.join("performance.md");
    let text = if page.exists() { fs::read_to_string(&page)? } else { format!("# Performance\n\n{BEGIN}\n{END}\n") };
    let marked = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        marked.with_context(|| format!("{} has lost its marks: {BEGIN} and {END}", page.display()))?;
    fs::write(&page, format!("{before}{BEGIN}\n{}{END}{after}", body(figures)?))?;
    if let Some(comparison) = &figures.comparison {
        fs::write(docs.join("performance/throughput.svg"), plot::throughput(comparison)?)?;
        fs::write(docs.join("performance/latency.svg"), plot::latency(comparison)?)?;
    }
    Ok(())
}

fn body(figures: &Figures) -> Result<String> {
    let mut out = String::new();
    goals(&mut out, figures)?;
    if let Some(comparison) = &figures.comparison {
        side_by_side(&mut out, comparison)?;
    }
    machines(&mut out, figures)?;
    Ok(out)
}

fn goals(out: &mut String, figures: &Figures) -> Result<()> {
    writeln!(out, "\n| what | goal | median | min – max (n) | reached | command, date |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
    for goal in GOALS {
        let Some(figure) = figures.figures.get(goal.key) else {
            writeln!(out, "| {} | {} | not measured | | | |", goal.what, goal.bound_text())?;
            continue;
        };
        let note = if figure.note.is_empty() { String::new() } else { format!("<br>{}", figure.note) };
        writeln!(
            out,
            "| {}{note} | {} | **{}** | {} – {} ({}) | {} | `{}`, {} |",
            goal.what,
            goal.bound_text(),
            goal.text(figure.value),
            number(figure.min),
            number(figure.max),
            figure.samples,
            if goal.bound.holds(figure.value) { "yes" } else { "**no**" },
            figure.made.command,
            figure.made.date,
        )?;
    }
    Ok(())
}

fn side_by_side(out: &mut String, comparison: &Comparison) -> Result<()> {
    writeln!(
        out,
        "\nSide by side, medians of {} rounds of {} s, min – max of throughput over the rounds (`{}`, {}):\n",
        comparison.rounds, comparison.seconds, comparison.made.command, comparison.made.date
    )?;
    writeln!(out, "| connections × in flight | system | commands/s | min – max | p50 | p99 |")?;
    writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: |")?;
    let mut series: Vec<_> = comparison.series.iter().collect();
    series.sort_by_key(|series| (series.cell.in_flight, series.cell.connections));
    for series in series {
        let rates = series.rounds.iter().map(|round| round.commands_per_second);
        writeln!(
            out,
            "| {} × {} | {} | {} | {} – {} | {} | {} |",
            series.cell.connections,
            series.cell.in_flight,
            series.system,
            number(series.throughput()),
            number(rates.clone().fold(f64::INFINITY, f64::min)),
            number(rates.fold(0.0, f64::max)),
            microseconds(series.median(|round| round.p50_us)),
            microseconds(series.median(|round| round.p99_us)),
        )?;
    }
    writeln!(out, "\n![Commands a second against connections](performance/throughput.svg)")?;
    writeln!(out, "\n![Latency of a command](performance/latency.svg)")?;
    writeln!(out, "\n| bytes that reach the disk, a command | connections × in flight | bytes |")?;
    writeln!(out, "| --- | --- | ---: |")?;
    for written in &comparison.written {
        writeln!(
            out,
            "| {} | {} × {} | {} |",
            written.system,
            written.cell.connections,
            written.cell.in_flight,
            number(written.bytes_per_command)
        )?;
    }
    Ok(())
}

/// Each machine once; usually there is one.
fn machines(out: &mut String, figures: &Figures) -> Result<()> {
    let made = figures.comparison.iter().map(|comparison| &comparison.made);
    let mut seen = Vec::new();
    for made in made.chain(figures.figures.values().map(|figure| &figure.made)) {
        let machine = &made.machine;
        let known = (machine.processors, &machine.processor, &machine.kernel, &machine.file_system);
        if !seen.contains(&known) {
            seen.push(known);
            writeln!(out, "\nMachine: {machine}.")?;
        }
    }
    Ok(())
}
