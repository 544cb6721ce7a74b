//! Charts as SVG with presentation attributes alone: the page allows no inline style.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::format::measure;
use crate::telemetry::Series;

/// How the samples of one column become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// The highest: a peak stays visible.
    Max,
    /// The average: the area under the line stays right.
    Mean,
}

/// One line of a chart.
#[derive(Debug)]
pub struct Line<'a> {
    /// What it is called in the legend.
    pub name: &'a str,
    /// Its samples.
    pub series: Series,
}

/// What is drawn of the last `window_s` seconds before `now_ms`.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The right edge, Unix milliseconds.
    pub now_ms: u64,
    /// From there to the left edge, seconds.
    pub window_s: u64,
    /// How many columns.
    pub columns: usize,
}

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;
const SPARK_WIDTH: f64 = 120.0;
const SPARK_HEIGHT: f64 = 24.0;

impl Frame {
    /// Where the left edge is, Unix milliseconds.
    pub const fn begin_ms(&self) -> u64 {
        self.now_ms.saturating_sub(self.window_s * 1_000)
    }

    /// The samples in columns; a column without any is NaN.
    fn columns(&self, series: &Series, fold: Fold) -> Vec<f64> {
        let mut sums = vec![(0.0_f64, 0_u32); self.columns];
        let (from, width) = (self.begin_ms(), self.window_s * 1_000);
        for (at, value) in series.0.iter().filter(|(at, value)| *at >= from && value.is_finite()) {
            let offset = u128::from((at - from).min(width.saturating_sub(1)));
            let columns = u128::try_from(self.columns).unwrap_or(1);
            let index = usize::try_from(offset * columns / u128::from(width.max(1))).unwrap_or_default();
            if let Some((sum, count)) = sums.get_mut(index) {
                *sum = if fold == Fold::Max { sum.max(f64::from(*value)) } else { *sum + f64::from(*value) };
                *count += 1;
            }
        }
        let value = |(sum, count): &(f64, u32)| match (count, fold) {
            (0, _) => f64::NAN,
            (_, Fold::Max) => *sum,
            (count, Fold::Mean) => sum / f64::from(*count),
        };
        sums.iter().map(value).collect()
    }
}

/// A chart with its title, scale and legend.
pub fn chart(title: &str, unit: &str, lines: &[Line<'_>], frame: Frame, fold: Fold) -> Markup {
    let columns: Vec<_> = lines.iter().map(|line| (line.name, frame.columns(&line.series, fold))).collect();
    let top = scale(columns.iter().flat_map(|(_, values)| values));
    let known = columns.iter().any(|(_, values)| values.iter().any(|value| value.is_finite()));
    html! {
        figure.chart {
            figcaption {
                span.title { (title) }
                @for (index, (name, values)) in columns.iter().enumerate() {
                    span.key data-line=(index) { (name) " " b { (measure(last(values))) } " " (unit) }
                }
            }
            @if known {
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                    data-seconds=(frame.window_s) data-unit=(unit) aria-label=(summary(title, unit, &columns)) {
                    @for quarter in [0.25, 0.5, 0.75] {
                        line.grid x1="0" x2=(WIDTH) y1=(HEIGHT * quarter) y2=(HEIGHT * quarter) {}
                    }
                    @for (index, (_, values)) in columns.iter().enumerate() {
                        @if lines.len() == 1 { path.area d=(area(values, top, WIDTH, HEIGHT)) {} }
                        path.line data-line=(index) data-values=(readable(values)) d=(path(values, top, WIDTH, HEIGHT)) {}
                    }
                    line.cross x1="0" x2="0" y1="0" y2="0" {}
                }
                div.scale { span { (measure(top)) " " (unit) } }
                div.axis { span { "-" (window_name(frame.window_s)) } span.readout {} span { "now" } }
            } @else {
                p.empty { "No samples yet." }
            }
        }
    }
}

/// A line without anything around it, for a row of a table.
pub fn sparkline(label: &str, series: &Series, frame: Frame) -> Markup {
    let values = frame.columns(series, Fold::Mean);
    let top = scale(&values);
    html! {
        svg.spark viewBox={ "0 0 " (SPARK_WIDTH) " " (SPARK_HEIGHT) } preserveAspectRatio="none" role="img"
            aria-label=(summary(label, "", &[("", values.clone())])) {
            path.area d=(area(&values, top, SPARK_WIDTH, SPARK_HEIGHT)) {}
            path.line data-line="0" d=(path(&values, top, SPARK_WIDTH, SPARK_HEIGHT)) {}
        }
    }
}

/// `10 min`, `1 h`.
fn window_name(seconds: u64) -> String {
    if seconds.is_multiple_of(3_600) { format!("{} h", seconds / 3_600) } else { format!("{} min", seconds / 60) }
}

fn last(values: &[f64]) -> f64 {
    values.iter().rev().copied().find(|value| value.is_finite()).unwrap_or(f64::NAN)
}

fn summary(title: &str, unit: &str, columns: &[(&str, Vec<f64>)]) -> String {
    let mut text = title.to_owned();
    for (name, values) in columns {
        let highest = values.iter().copied().filter(|value| value.is_finite()).fold(f64::NAN, f64::max);
        // Writing into a String does not fail.
        write!(text, "; {name} now {} {unit}, highest {} {unit}", measure(last(values)), measure(highest)).ok();
    }
    text
}

/// The values for the script that shows the one under the pointer.
fn readable(values: &[f64]) -> String {
    let texts: Vec<_> =
        values.iter().map(|value| if value.is_finite() { measure(*value) } else { String::new() }).collect();
    texts.join(";")
}

/// The next of 1, 2, 5, 10, … that is not below any value.
fn scale<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    let highest = values.into_iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    if highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|top| *top >= highest).unwrap_or(highest)
}

/// The line, with a gap where nothing is known.
fn path(values: &[f64], top: f64, width: f64, height: f64) -> String {
    let mut text = String::new();
    let mut pen_down = false;
    for (x, value) in positions(values, width) {
        if value.is_finite() {
            let y = (height - 2.0).mul_add(-(value / top), height - 1.0);
            write!(text, "{}{x:.1} {y:.1}", if pen_down { 'L' } else { 'M' }).ok();
        }
        pen_down = value.is_finite();
    }
    text
}

/// The line closed along the bottom, one shape for each stretch without a gap.
fn area(values: &[f64], top: f64, width: f64, height: f64) -> String {
    let mut text = String::new();
    let points: Vec<_> = positions(values, width).collect();
    for stretch in points.split(|(_, value)| !value.is_finite()).filter(|stretch| !stretch.is_empty()) {
        let first = stretch.first().map_or(0.0, |(x, _)| *x);
        let end = stretch.last().map_or(0.0, |(x, _)| *x);
        write!(text, "M{first:.1} {height:.1}").ok();
        for (x, value) in stretch {
            let y = (height - 2.0).mul_add(-(value / top), height - 1.0);
            write!(text, "L{x:.1} {y:.1}").ok();
        }
        write!(text, "L{end:.1} {height:.1}Z").ok();
    }
    text
}

fn positions(values: &[f64], width: f64) -> impl Iterator<Item = (f64, f64)> {
    let steps = u32::try_from(values.len().saturating_sub(1)).unwrap_or(u32::MAX).max(1);
    (0_u32..).zip(values).map(move |(index, value)| (width * f64::from(index) / f64::from(steps), *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_samples_is_a_gap_in_the_line() {
        let frame = Frame { now_ms: 60_000, window_s: 60, columns: 6 };
        let series = Series(vec![(0, 1.0), (1_000, 3.0), (10_000, f32::NAN), (20_000, 4.0), (60_000, 5.0)]);
        let columns = frame.columns(&series, Fold::Mean);
        assert_eq!(columns.first(), Some(&2.0));
        assert!(columns[1].is_nan());
        assert_eq!(columns.last(), Some(&5.0));
        assert_eq!(frame.columns(&series, Fold::Max).first(), Some(&3.0));
        assert_eq!(path(&columns, 5.0, 50.0, 12.0), "M0.0 7.0M20.0 3.0M50.0 1.0");
    }

    #[test]
    fn the_scale_is_a_round_number() {
        assert_eq!(
            [0.0, 0.7, 1.0, 3.0, 99.0, 1_200.0].map(|value| scale(&[value])),
            [1.0, 1.0, 1.0, 5.0, 100.0, 2_000.0]
        );
    }
}
