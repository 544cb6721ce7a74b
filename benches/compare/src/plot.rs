//! Plots as SVG text: two charts, few marks, no library.

use crate::figures::Comparison;
use crate::systems::Cell;
use crate::targets::number;
use std::fmt::{self, Write};

/// How a system looks in every plot.
struct Look {
    system: &'static str,
    color: &'static str,
    dashes: &'static str,
    width: f64,
}

const LOOKS: [Look; 7] = [
    Look { system: "orderd", color: "#c2410c", dashes: "", width: 3.0 },
    Look { system: "orderd, delivering", color: "#f08c5a", dashes: "", width: 2.0 },
    Look { system: "floor", color: "#57606a", dashes: "5 4", width: 2.0 },
    Look { system: "Redis", color: "#1a7f37", dashes: "", width: 2.0 },
    Look { system: "PostgreSQL", color: "#0969da", dashes: "", width: 2.0 },
    Look { system: "SQLite", color: "#8250df", dashes: "", width: 2.0 },
    Look { system: "SQLite, groups of 64", color: "#bf3989", dashes: "", width: 2.0 },
];

const WIDTH: f64 = 920.0;
const INK: &str = "#24292f";
const QUIET: &str = "#6e7781";
const GRID: &str = "#e6e8eb";

/// A logarithmic axis.
struct LogAxis {
    least: f64,
    most: f64,
    start: f64,
    end: f64,
}

impl LogAxis {
    /// From the power of ten below the samples to the one above.
    fn around(samples: impl Iterator<Item = f64> + Clone, start: f64, end: f64) -> Self {
        let least = samples.clone().fold(f64::INFINITY, f64::min).max(1.0);
        let most = samples.fold(least * 10.0, f64::max);
        Self { least: least.log10().floor(), most: most.log10().ceil(), start, end }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.max(1e-9).log10() - self.least) / (self.most - self.least);
        self.start + share * (self.end - self.start)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        let (mut decade, most) = (self.least, self.most);
        std::iter::from_fn(move || {
            let value = 10_f64.powf(decade);
            decade += 1.0;
            (decade <= most + 1.5).then_some(value)
        })
    }
}

/// Throughput against connections: one panel for one command in flight, one for pipelining.
pub fn throughput(comparison: &Comparison) -> Result<String, fmt::Error> {
    const HEIGHT: f64 = 430.0;
    let shown = |system: &str| !system.starts_with("SQLite");
    let mut svg = head(HEIGHT, "Commands a second against connections")?;
    legend(&mut svg, comparison, shown)?;
    let all = comparison.series.iter().filter(|series| shown(&series.system)).map(|series| series.throughput());
    let axis = LogAxis::around(all, HEIGHT - 62.0, 92.0);
    for (in_flight, left, title) in
        [(1, 70.0, "1 command in flight on each"), (64, 510.0, "64 commands in flight on each")]
    {
        panel(&mut svg, comparison, &axis, in_flight, left, title, shown)?;
    }
    writeln!(svg, "</svg>")?;
    Ok(svg)
}

const PANEL_WIDTH: f64 = 380.0;

fn panel(
    svg: &mut String,
    comparison: &Comparison,
    axis: &LogAxis,
    in_flight: u32,
    left: f64,
    title: &str,
    shown: impl Fn(&str) -> bool,
) -> fmt::Result {
    let right = left + PANEL_WIDTH;
    for value in axis.decades() {
        let y = axis.at(value);
        line(svg, (left, y), (right, y), GRID)?;
        text(svg, (left - 8.0, y + 4.0), "end", QUIET, 12, &short(value))?;
    }
    text(svg, (left + PANEL_WIDTH / 2.0, axis.end - 12.0), "middle", INK, 13, title)?;
    text(svg, (left + PANEL_WIDTH / 2.0, axis.start + 42.0), "middle", QUIET, 12, "connections")?;
    // One step for each doubling.
    let x = |connections: u16| left + 20.0 + f64::from(connections).log2() / 6.0 * (PANEL_WIDTH - 40.0);
    for connections in [1, 4, 16, 64] {
        text(svg, (x(connections), axis.start + 20.0), "middle", QUIET, 12, &connections.to_string())?;
    }
    for look in LOOKS.iter().rev().filter(|look| shown(look.system)) {
        let own = comparison.series.iter().filter(|series| series.system == look.system);
        let mut points: Vec<_> = own
            .filter(|series| series.cell.in_flight == in_flight)
            .map(|series| (series.cell.connections, series))
            .collect();
        points.sort_by_key(|(connections, _)| *connections);
        let path: Vec<_> = points
            .iter()
            .map(|(connections, series)| format!("{:.1},{:.1}", x(*connections), axis.at(series.throughput())))
            .collect();
        writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="{}" stroke-dasharray="{}" stroke-linejoin="round"/>"#,
            path.join(" "),
            look.color,
            look.width,
            look.dashes
        )?;
        for (connections, series) in points {
            dot(svg, (x(connections), axis.at(series.throughput())), look.color)?;
        }
    }
    Ok(())
}

/// p50 and p99 of every system under three loads.
pub fn latency(comparison: &Comparison) -> Result<String, fmt::Error> {
    const ROW: f64 = 24.0;
    let loads = [
        ("1 connection, 1 in flight", Cell { connections: 1, in_flight: 1 }),
        ("64 connections, 1 in flight each", Cell { connections: 64, in_flight: 1 }),
        ("16 connections, 64 in flight each", Cell { connections: 16, in_flight: 64 }),
    ];
    let rows_of = |cell| {
        let found = LOOKS.iter().filter_map(move |look| Some((look, comparison.find(look.system, cell)?)));
        found.collect::<Vec<_>>()
    };
    let count: usize = loads.iter().map(|(_, cell)| rows_of(*cell).len()).sum();
    let height = 132.0 + ROW * f64::from(u32::try_from(count).unwrap_or(0)) + 40.0 * 3.0;
    let mut svg = head(height, "Latency of a command: from p50 (dot) to p99 (bar)")?;
    let all = loads
        .iter()
        .flat_map(|(_, cell)| rows_of(*cell))
        .flat_map(|(_, series)| [series.median(|round| round.p50_us), series.median(|round| round.p99_us)]);
    let samples: Vec<_> = all.collect();
    let axis = LogAxis::around(samples.iter().copied(), 250.0, WIDTH - 150.0);
    for value in axis.decades() {
        let x = axis.at(value);
        line(&mut svg, (x, 62.0), (x, height - 48.0), GRID)?;
        text(&mut svg, (x, height - 28.0), "middle", QUIET, 12, &microseconds(value))?;
    }
    let mut y = 62.0;
    for (title, cell) in loads {
        y += 28.0;
        text(&mut svg, (20.0, y), "start", INK, 13, title)?;
        y += 12.0;
        for (look, series) in rows_of(cell) {
            y += ROW / 2.0;
            let (p50, p99) = (series.median(|round| round.p50_us), series.median(|round| round.p99_us));
            text(&mut svg, (236.0, y + 4.0), "end", INK, 12, look.system)?;
            writeln!(
                svg,
                r#"<line x1="{:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="{}" stroke-width="6" stroke-opacity="0.35"/>"#,
                axis.at(p50),
                axis.at(p99),
                look.color
            )?;
            writeln!(svg, r#"<circle cx="{:.1}" cy="{y:.1}" r="5" fill="{}"/>"#, axis.at(p50), look.color)?;
            let label = format!("{} – {}", microseconds(p50), microseconds(p99));
            text(&mut svg, (axis.at(p99) + 8.0, y + 4.0), "start", QUIET, 11, &label)?;
            y += ROW / 2.0;
        }
    }
    writeln!(svg, "</svg>")?;
    Ok(svg)
}

fn head(height: f64, title: &str) -> Result<String, fmt::Error> {
    let mut svg = String::new();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" role="img">"#
    )?;
    writeln!(svg, "<title>{title}</title>")?;
    // A ground of its own: it is also read on dark pages.
    writeln!(svg, r##"<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>"##)?;
    writeln!(svg, r#"<text x="20" y="32" font-size="16" font-weight="600" fill="{INK}">{title}</text>"#)?;
    Ok(svg)
}

fn legend(svg: &mut String, comparison: &Comparison, shown: impl Fn(&str) -> bool) -> fmt::Result {
    let mut x = 20.0;
    for look in LOOKS.iter().filter(|look| shown(look.system)) {
        if !comparison.series.iter().any(|series| series.system == look.system) {
            continue;
        }
        writeln!(
            svg,
            r#"<line x1="{x}" y1="52" x2="{}" y2="52" stroke="{}" stroke-width="{}" stroke-dasharray="{}"/>"#,
            x + 26.0,
            look.color,
            look.width,
            look.dashes
        )?;
        text(svg, (x + 32.0, 56.0), "start", INK, 12, look.system)?;
        x += 62.0 + 7.0 * f64::from(u32::try_from(look.system.len()).unwrap_or(0));
    }
    Ok(())
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), color: &str) -> fmt::Result {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(svg, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{color}"/>"#)
}

fn dot(svg: &mut String, at: (f64, f64), color: &str) -> fmt::Result {
    writeln!(svg, r##"<circle cx="{:.1}" cy="{:.1}" r="4" fill="{color}" stroke="#ffffff"/>"##, at.0, at.1)
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, color: &str, size: u32, text: &str) -> fmt::Result {
    let (x, y) = at;
    writeln!(
        svg,
        r##"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="{anchor}" fill="{color}" stroke="#ffffff" stroke-width="3" paint-order="stroke">{text}</text>"##
    )
}

fn short(value: f64) -> String {
    if value >= 1e6 {
        format!("{:.0} M", value / 1e6)
    } else if value >= 1e3 {
        format!("{:.0} k", value / 1e3)
    } else {
        format!("{value:.0}")
    }
}

/// Microseconds in the unit that reads best.
pub fn microseconds(value: f64) -> String {
    if value < 1_000.0 { format!("{} µs", number(value)) } else { format!("{} ms", number(value / 1_000.0)) }
}
