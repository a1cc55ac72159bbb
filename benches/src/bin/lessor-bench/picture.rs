//! The report as a picture: how much of its goal each row has reached, on a logarithmic axis.

use std::fmt::Write as _;

use crate::report::{Line, Report, Verdict};

const WIDTH: f64 = 980.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 240.0;
const LINE: f64 = 22.0;
const TOP: f64 = 56.0;
/// Shares of a goal at the two ends of the axis.
const ENDS: (f64, f64) = (0.01, 10.0);

/// An SVG of those rows that have a bar.
pub(crate) fn svg(report: &Report) -> String {
    let lines: Vec<&Line> = report
        .results
        .iter()
        .filter(|line| bar(line).is_some())
        .collect();
    let height = TOP + 30.0 + LINE * lines.len() as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\">Lessor: share of the goal that is reached</text>\n\
         <text x=\"12\" y=\"40\" fill=\"#666\">{}</text>\n",
        escaped(&format!("{}, {}", report.machine.date, report.machine.cpu))
    );
    let bottom = height - 24.0;
    for share in [0.01, 0.1, 1.0, 10.0] {
        let x = place(share);
        let ink = if (share - 1.0_f64).abs() < 1e-9 {
            "#222"
        } else {
            "#ddd"
        };
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\" stroke=\"{ink}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" fill=\"#666\" text-anchor=\"middle\">{share}</text>",
            bottom + 16.0
        );
    }
    for (at, line) in lines.iter().enumerate() {
        push_line(&mut text, line, TOP + LINE * at as f64);
    }
    text.push_str("</svg>\n");
    text
}

fn push_line(text: &mut String, line: &Line, y: f64) {
    let middle = y + LINE * 0.7;
    let right = LEFT - 8.0;
    let _ = writeln!(
        text,
        "<text x=\"{right}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>",
        escaped(line.name)
    );
    let x = WIDTH - RIGHT + 8.0;
    let (told, ink) = verdict(line);
    let _ = writeln!(
        text,
        "<text x=\"{x}\" y=\"{middle:.1}\" fill=\"{ink}\">{}</text>",
        escaped(&told)
    );
    let Some(reached) = bar(line).and_then(|bar| bar.reached) else {
        return;
    };
    let width = (place(reached) - LEFT).max(1.0);
    let (y, height) = (y + 4.0, LINE - 8.0);
    let _ = writeln!(
        text,
        "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{ink}\" \
         fill-opacity=\"0.75\"/>"
    );
    if let Some(first) = first_slice(line, reached) {
        let x = place(first);
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y:.1}\" y2=\"{:.1}\" stroke=\"#222\" \
             stroke-width=\"2\" stroke-dasharray=\"3 2\"/>",
            y + height
        );
    }
}

/// The goal, or the first slice where that is the only bar.
fn bar(line: &Line) -> Option<&Verdict> {
    line.goal.as_ref().or(line.first_slice.as_ref())
}

/// Where the first slice is on the axis of a row that has reached so much of its goal.
fn first_slice(line: &Line, reached: f64) -> Option<f64> {
    line.goal.as_ref()?;
    Some(reached / line.first_slice.as_ref()?.reached?)
}

fn verdict(line: &Line) -> (String, &'static str) {
    let value = line.value.map_or("failed".to_owned(), |value| {
        format!("{} {}", crate::rows::short(value), line.unit)
    });
    let met = |verdict: &Option<Verdict>| verdict.as_ref().and_then(|v| v.met);
    match (met(&line.first_slice), met(&line.goal)) {
        (_, Some(true)) | (Some(true), None) => (format!("{value}: met"), "#2a7"),
        (Some(true), Some(false)) => (format!("{value}: first slice met"), "#c90"),
        (Some(false), _) | (None, Some(false)) => (format!("{value}: not met"), "#c33"),
        (None, None) => (format!("{value}: not measured"), "#888"),
    }
}

/// Where a share of the goal stands.
fn place(share: f64) -> f64 {
    let (low, high) = ENDS;
    let at = (share.clamp(low, high) / low).log10() / (high / low).log10();
    LEFT + at * (WIDTH - LEFT - RIGHT)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Book;
    use crate::machine::Machine;

    #[test]
    fn shows_rows_with_bars_alone_and_how_far_they_are() {
        let mut book = Book::default();
        book.add("restart/1m", 1.0);
        book.add("restart/10m", 6.0);
        book.fail("restart/10m/cold", "no disk");
        let machine = Machine {
            cpu: "<a & b>".into(),
            ..Machine::default()
        };
        let svg = svg(&Report::new(machine, (true, 1), &book));
        assert!(!svg.contains("restart/1m<"));
        assert!(svg.contains("6 s: first slice met"), "{svg}");
        assert!(svg.contains("failed: not measured"), "{svg}");
        assert!(svg.contains("&lt;a &amp; b&gt;") && svg.trim_end().ends_with("</svg>"));
        // Half of the goal, which is 3 s; the first slice is 20 s.
        let width = place(0.5) - LEFT;
        assert!(svg.contains(&format!("width=\"{width:.1}\"")), "{svg}");
        assert!(svg.contains(&format!("x1=\"{:.1}\"", place(0.15))), "{svg}");
    }

    #[test]
    fn the_axis_holds_what_is_beyond_its_ends() {
        assert!((place(0.0) - LEFT).abs() < 1e-9);
        assert!((place(1e9) - (WIDTH - RIGHT)).abs() < 1e-9);
        assert!(place(0.1) < place(1.0));
    }
}
