//! Drawings of what is measured step by step: with more data, with more threads.
//!
//! One chart for each curve; steps stand at equal distances whatever they are, since they are most
//! often powers. All charts begin at zero.

use super::axis::{Unit, ticks};
use super::{HEAD, WIDTH, color, line, text};
use std::fmt::Write;

const CHART: (f64, f64) = (640.0, 200.0);
const LEFT: f64 = 76.0;
const STRIP: f64 = 280.0;

/// One chart: a line of each name through the same steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it shows.
    pub title: String,
    /// The words below the steps.
    pub steps: Vec<String>,
    /// Names, and for each step a value where there is one.
    pub lines: Vec<(String, Vec<Option<f64>>)>,
}

/// A drawing of these charts below each other, as SVG. `about` stands below the title.
pub fn curves(title: &str, about: &str, charts: &[Curve]) -> String {
    let height = HEAD + STRIP * charts.len().max(1) as f64;
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
    for (at, chart) in charts.iter().enumerate() {
        draw(&mut svg, HEAD + STRIP * at as f64, chart);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, y: f64, chart: &Curve) {
    let (width, height) = CHART;
    let (top, bottom, right) = (y + 36.0, y + 36.0 + height, LEFT + width);
    text(svg, (16.0, y + 18.0), "start", "font-size=\"14\" font-weight=\"bold\"", &chart.title);
    let values = chart.lines.iter().flat_map(|(_, values)| values.iter().flatten());
    let highest = values.copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let marks = ticks(highest);
    let end = marks.last().copied().unwrap_or(1.0);
    let place = |value: f64| bottom - height * value / end;
    for mark in &marks {
        line(svg, (LEFT, place(*mark)), (right, place(*mark)), "#dddddd");
        let label = Unit::Count.label(*mark);
        text(svg, (LEFT - 6.0, place(*mark) + 4.0), "end", "fill=\"#333333\"", &label);
    }
    let steps = chart.steps.len().max(1) as f64;
    let step = |at: usize| LEFT + width * (at as f64 + 0.5) / steps;
    for (at, label) in chart.steps.iter().enumerate() {
        line(svg, (step(at), bottom), (step(at), bottom + 4.0), "#333333");
        text(svg, (step(at), bottom + 17.0), "middle", "fill=\"#333333\"", label);
    }
    line(svg, (LEFT, bottom), (right, bottom), "#333333");
    line(svg, (LEFT, top), (LEFT, bottom), "#333333");
    for (at, (name, values)) in chart.lines.iter().enumerate() {
        let color = color(at);
        let style = format!("fill=\"{color}\" font-weight=\"bold\"");
        text(svg, (right + 16.0, top + 14.0 + 18.0 * at as f64), "start", &style, name);
        let points = values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
        let points: Vec<(f64, f64)> = points.map(|(at, v)| (step(at), place(v))).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.6\"/>",
            path.join(" ")
        );
        for (x, y) in points {
            let _ =
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{color}\"/>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_for_each_curve_and_a_line_for_each_name() {
        let lines = vec![
            ("one".to_string(), vec![Some(0.0), Some(50.0), Some(100.0)]),
            ("a < b".to_string(), vec![Some(25.0), None, Some(75.0)]),
        ];
        let steps = ["1", "4", "16"].map(String::from).to_vec();
        let chart = Curve { title: "rates".into(), steps, lines };
        let empty = Curve { title: "nothing".into(), steps: vec![], lines: vec![] };
        let svg = curves("title", "about", &[chart, empty]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline").count(), 2);
        // What is missing at a step has no mark there.
        assert_eq!(svg.matches("<circle").count(), 5);
        for part in [">rates</text>", ">nothing</text>", ">16</text>", "a &lt; b"] {
            assert!(svg.contains(part), "{part}\n{svg}");
        }
        // The highest value stands at the top, zero at the bottom.
        assert!(svg.contains("76.0\" y1=\"300.0\"") && svg.contains(",300.0 "), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
