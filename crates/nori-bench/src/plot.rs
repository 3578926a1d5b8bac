//! Drawings of a bench: throughput and p99 over time, as SVG.
//!
//! One strip for each workload, part and count of threads, with two charts in it; each engine has
//! a line of its own. Both charts begin at zero.

use crate::row::{Row, Sample};
use std::fmt::Write;

mod axis;
mod curves;

use axis::{Unit, ticks};
pub use curves::{Curve, curves};

const WIDTH: f64 = 960.0;
const STRIP: f64 = 220.0;
const HEAD: f64 = 64.0;
const LEFT: [f64; 2] = [76.0, 556.0];
const CHART: (f64, f64) = (380.0, 130.0);
const TOP: f64 = 44.0;
/// Dark enough for white, and apart for eyes that see few colours.
const COLORS: [&str; 6] = ["#0b62a4", "#d1495b", "#2e8b57", "#8a5fb5", "#b8860b", "#444444"];

/// A drawing of these rows, in their order; rows without samples have none. `about` stands below
/// the title: what was run, on which machine.
pub fn plot(title: &str, about: &str, rows: &[Row]) -> String {
    let strips = strips(rows);
    let engines = engines(rows);
    let height = HEAD + STRIP * strips.len().max(1) as f64;
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    text(&mut svg, (16.0, 26.0), "start", "font-size=\"18\"", title);
    text(&mut svg, (16.0, 46.0), "start", "fill=\"#555555\"", about);
    for (at, engine) in engines.iter().enumerate().filter(|_| engines.len() > 1) {
        let style = format!("fill=\"{}\" font-weight=\"bold\"", color(at));
        let right = WIDTH - 16.0 - 90.0 * (engines.len() - 1 - at) as f64;
        text(&mut svg, (right, 26.0), "end", &style, engine);
    }
    for (at, strip) in strips.iter().enumerate() {
        draw_strip(&mut svg, HEAD + STRIP * at as f64, strip, &engines);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Rows that share a strip.
fn strips(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut strips: Vec<Vec<&Row>> = Vec::new();
    for row in rows.iter().filter(|row| !row.samples.is_empty()) {
        let same = |strip: &&mut Vec<&Row>| {
            strip.iter().all(|other| {
                other.engine != row.engine
                    && other.name() == row.name()
                    && other.threads == row.threads
            })
        };
        match strips.iter_mut().find(same) {
            Some(strip) => strip.push(row),
            None => strips.push(vec![row]),
        }
    }
    strips
}

fn engines(rows: &[Row]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.engine.as_str()) {
            names.push(&row.engine);
        }
    }
    names
}

fn color(at: usize) -> &'static str {
    COLORS[at % COLORS.len()]
}

fn draw_strip(svg: &mut String, y: f64, strip: &[&Row], engines: &[&str]) {
    let name = strip.first().map_or_else(String::new, |row| {
        format!("{}, {} thread{}", row.name(), row.threads, if row.threads == 1 { "" } else { "s" })
    });
    text(svg, (16.0, y + 18.0), "start", "font-size=\"14\" font-weight=\"bold\"", &name);
    let seconds = strip.iter().flat_map(|row| &row.samples).map(|s| s.at_seconds);
    let seconds = seconds.fold(0.0, f64::max);
    let charts: [(&str, Unit, fn(&Sample) -> Option<f64>); 2] = [
        ("operations per second", Unit::Count, |s| Some(s.ops_per_second)),
        ("p99 latency", Unit::Nanoseconds, |s| s.p99_ns.map(|ns| ns as f64)),
    ];
    for (left, (title, unit, pick)) in LEFT.into_iter().zip(charts) {
        let lines: Vec<(usize, Vec<(f64, f64)>)> = strip
            .iter()
            .map(|row| {
                let at = engines.iter().position(|name| *name == row.engine).unwrap_or(0);
                let points = row.samples.iter().filter_map(|s| Some((s.at_seconds, pick(s)?)));
                (at, points.collect())
            })
            .collect();
        draw_chart(svg, (left, y + TOP), title, unit, seconds, &lines);
    }
}

fn draw_chart(
    svg: &mut String,
    (left, top): (f64, f64),
    title: &str,
    unit: Unit,
    seconds: f64,
    lines: &[(usize, Vec<(f64, f64)>)],
) {
    let (width, height) = CHART;
    let (right, bottom) = (left + width, top + height);
    text(svg, (left, top - 8.0), "start", "fill=\"#333333\"", title);
    let highest = lines.iter().flat_map(|(_, points)| points).map(|p| p.1).fold(0.0, f64::max);
    if highest <= 0.0 {
        text(svg, (left + 8.0, top + 20.0), "start", "fill=\"#777777\"", "not timed one by one");
        return;
    }
    let (xs, ys) = (ticks(seconds), ticks(highest));
    let end = |ticks: &[f64]| ticks.last().copied().unwrap_or(1.0);
    let (x_end, y_end) = (end(&xs), end(&ys));
    let x = |value: f64| left + width * value / x_end;
    let y = |value: f64| bottom - height * value / y_end;
    for tick in &ys {
        line(svg, (left, y(*tick)), (right, y(*tick)), "#dddddd");
        text(svg, (left - 6.0, y(*tick) + 4.0), "end", "fill=\"#333333\"", &unit.label(*tick));
    }
    for tick in &xs {
        line(svg, (x(*tick), bottom), (x(*tick), bottom + 4.0), "#333333");
        let label = Unit::Seconds.label(*tick);
        text(svg, (x(*tick), bottom + 17.0), "middle", "fill=\"#333333\"", &label);
    }
    line(svg, (left, bottom), (right, bottom), "#333333");
    line(svg, (left, top), (left, bottom), "#333333");
    for (at, points) in lines {
        let color = color(*at);
        let path: Vec<String> =
            points.iter().map(|(s, v)| format!("{:.1},{:.1}", x(*s), y(*v))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.6\"/>",
            path.join(" ")
        );
        // A short workload has one point, and a line needs two; many points would hide the line.
        for (s, v) in points.iter().filter(|_| points.len() <= 60) {
            let (x, y) = (x(*s), y(*v));
            let _ =
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{color}\"/>");
        }
    }
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), color: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{text}</text>"
    );
}

#[cfg(test)]
mod tests;
