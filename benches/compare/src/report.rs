//! The page of figures: the part of `docs/performance.md` between two marks, and the plots beside it.
//!
//! What stands outside the marks is written by hand and stays.

use crate::figures::{Comparison, Figures, as_f64};
use crate::plot::{self, microseconds};
use crate::targets::{GOALS, number};
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
    footprint(out, comparison)
}

fn footprint(out: &mut String, comparison: &Comparison) -> Result<()> {
    writeln!(
        out,
        "\nWhat commands leave behind: half of them placed an order, half completed it, then came a crash.\n"
    )?;
    writeln!(
        out,
        "| system | commands | written to the disk, an order | resident memory, an order | start after the crash | commands recovered a second |"
    )?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
    for left in &comparison.footprint {
        let text = |value: Option<f64>, unit: &str| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{}{unit}", number(value)))
        };
        writeln!(
            out,
            "| {} ({} × {}) | {} | {} bytes | {} | {} | {} |",
            left.system,
            left.cell.connections,
            left.cell.in_flight,
            number(as_f64(left.commands)),
            number(left.disk_bytes_per_order),
            text(left.memory_bytes_per_order, " bytes"),
            text(left.ready_after_ms, " ms"),
            text(left.recovered_per_second, ""),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_stays() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("performance.md");
        fs::write(&page, format!("# By hand\n\n{BEGIN}\nold\n{END}\n\nMore by hand.\n")).unwrap();
        write(folder.path(), &Figures::default()).unwrap();
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.starts_with("# By hand\n\n") && text.ends_with("\n\nMore by hand.\n"), "{text}");
        assert!(text.contains("not measured") && !text.contains("old"), "{text}");
        write(folder.path(), &Figures::default()).unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), text);
        fs::write(&page, "no marks").unwrap();
        assert!(write(folder.path(), &Figures::default()).is_err());
    }
}
