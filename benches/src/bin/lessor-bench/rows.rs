//! The rows of the report: their stable names, what they are compared with, and the bars of design
//! §9. `benches/README.md` explains each; a test compares.

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Frames that came back, a second.
    Frames,
    /// Replies, a second.
    Messages,
    /// Exchanges of DISCOVER, OFFER, REQUEST, ACK, a second.
    Dora,
    /// Renewals, a second.
    Renewals,
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Octets,
}

impl Unit {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Frames => "frames/s",
            Self::Messages => "messages/s",
            Self::Dora => "DORA/s",
            Self::Renewals => "renewals/s",
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Octets => "octets",
        }
    }

    /// Whether the generator could have been what limits the value, and the replies it then counts
    /// for each of it.
    pub(crate) const fn replies(self) -> Option<f64> {
        match self {
            Self::Messages | Self::Renewals => Some(1.0),
            Self::Dora => Some(2.0),
            Self::Frames
            | Self::Nanoseconds
            | Self::Microseconds
            | Self::Milliseconds
            | Self::Seconds
            | Self::Octets => None,
        }
    }
}

/// What a bar asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// So many times what the row is compared with.
    TimesAtLeast(f64),
    TimesAtMost(f64),
    /// The value itself.
    AtMost(f64),
}

impl Bar {
    /// How much of the bar was reached: 1 and more is met.
    pub(crate) fn reached(self, value: f64, ratio: Option<f64>) -> Option<f64> {
        match self {
            Self::TimesAtLeast(bar) => ratio.map(|ratio| ratio / bar),
            Self::TimesAtMost(bar) => ratio.map(|ratio| bar / ratio),
            Self::AtMost(bar) => Some(bar / value),
        }
    }

    pub(crate) fn text(self, unit: Unit) -> String {
        match self {
            Self::TimesAtLeast(bar) => format!(">= {} x", short(bar)),
            Self::TimesAtMost(bar) => format!("<= {} x", short(bar)),
            Self::AtMost(bar) => format!("<= {} {}", short(bar), unit.text()),
        }
    }
}

/// A number without digits that say nothing.
pub(crate) fn short(number: f64) -> String {
    if number >= 10.0 {
        format!("{number:.0}")
    } else if number >= 1.0 {
        format!("{number:.2}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        format!("{number:.3}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    }
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// The row it is compared with.
    pub(crate) of: Option<&'static str>,
    pub(crate) first_slice: Option<Bar>,
    pub(crate) goal: Option<Bar>,
}

impl Row {
    const fn new(name: &'static str, unit: Unit) -> Self {
        Self {
            name,
            unit,
            of: None,
            first_slice: None,
            goal: None,
        }
    }

    const fn of(self, row: &'static str) -> Self {
        Self {
            of: Some(row),
            ..self
        }
    }

    const fn bars(self, first_slice: Bar, goal: Bar) -> Self {
        Self {
            first_slice: Some(first_slice),
            goal: Some(goal),
            ..self
        }
    }
}

use Bar::{AtMost, TimesAtLeast, TimesAtMost};
use Unit::{
    Dora, Frames, Messages, Microseconds, Milliseconds, Nanoseconds, Octets, Renewals, Seconds,
};

/// All rows, in the order of the report.
pub(crate) const ROWS: &[Row] = &[
    Row::new("memif/macswap", Frames),
    Row {
        first_slice: Some(TimesAtLeast(0.5)),
        ..Row::new("memif/generator", Frames).of("memif/macswap")
    },
    Row::new("memif/none/messages", Messages)
        .of("memif/macswap")
        .bars(TimesAtLeast(0.15), TimesAtLeast(0.35)),
    Row::new("memif/none/discover", Messages).of("memif/macswap"),
    Row::new("memif/none/renew", Renewals).of("memif/macswap"),
    Row::new("memif/log/messages", Messages)
        .of("memif/macswap")
        .bars(TimesAtLeast(0.08), TimesAtLeast(0.2)),
    Row::new("memif/log/dora", Dora)
        .of("veth/kea/dora")
        .bars(TimesAtLeast(10.0), TimesAtLeast(35.0)),
    Row::new("memif/log/renew", Renewals).of("veth/kea/renew"),
    Row::new("veth/macswap", Frames),
    Row::new("veth/generator", Frames).of("veth/macswap"),
    Row::new("veth/log/dora", Dora)
        .of("veth/kea/dora")
        .bars(TimesAtLeast(4.0), TimesAtLeast(9.0)),
    Row {
        goal: Some(TimesAtLeast(0.7)),
        ..Row::new("veth/log/messages", Messages).of("veth/macswap")
    },
    Row::new("veth/log/renew", Renewals).of("veth/kea/renew"),
    Row::new("veth/kea/dora", Dora),
    Row::new("veth/kea/renew", Renewals),
    Row::new("veth/dhcpd/dora", Dora).of("veth/kea/dora"),
    Row::new("veth/dhcpd/renew", Renewals).of("veth/kea/renew"),
    Row::new("veth/dnsmasq/dora", Dora).of("veth/kea/dora"),
    Row::new("cpu/dora/kea", Microseconds),
    Row::new("cpu/dora/veth", Microseconds)
        .of("cpu/dora/kea")
        .bars(TimesAtMost(0.1), TimesAtMost(1.0 / 30.0)),
    Row::new("cpu/dora/memif", Microseconds).of("cpu/dora/kea"),
    Row::new("pipeline/p99", Milliseconds),
    Row::new("ack/p99/half-load", Milliseconds)
        .of("pipeline/p99")
        .bars(TimesAtMost(3.0), TimesAtMost(1.5)),
    Row::new("decide/discover/1k", Nanoseconds),
    Row::new("decide/request/1k", Nanoseconds),
    Row::new("decide/renew/1k", Nanoseconds),
    Row::new("decide/discover/1m", Nanoseconds).bars(AtMost(400.0), AtMost(200.0)),
    Row::new("decide/request/1m", Nanoseconds).bars(AtMost(500.0), AtMost(250.0)),
    Row::new("decide/renew/1m", Nanoseconds),
    Row::new("decide/discover-returning/1m", Nanoseconds).bars(AtMost(400.0), AtMost(200.0)),
    Row::new("decide/request-offered/1m", Nanoseconds).bars(AtMost(500.0), AtMost(250.0)),
    Row {
        goal: Some(AtMost(320.0)),
        ..Row::new("decide/discover/10m", Nanoseconds).of("decide/discover/1m")
    },
    Row {
        goal: Some(AtMost(400.0)),
        ..Row::new("decide/request/10m", Nanoseconds).of("decide/request/1m")
    },
    Row::new("decide/renew/10m", Nanoseconds).of("decide/renew/1m"),
    Row::new("memory/binding/1m", Octets).bars(AtMost(160.0), AtMost(96.0)),
    Row::new("memory/binding/1m/option82", Octets).bars(AtMost(224.0), AtMost(128.0)),
    Row::new("memory/binding/10m", Octets).bars(AtMost(160.0), AtMost(96.0)),
    Row::new("memory/binding/10m/option82", Octets).bars(AtMost(224.0), AtMost(128.0)),
    Row::new("restart/1m", Seconds),
    Row::new("restart/1m/cold", Seconds),
    Row::new("restart/10m", Seconds).bars(AtMost(20.0), AtMost(3.0)),
    Row::new("restart/10m/cold", Seconds).bars(AtMost(20.0), AtMost(6.0)),
];

/// The row of that name.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// The row that says what the generator can carry where this row was measured.
pub(crate) fn ceiling(name: &str) -> Option<&'static str> {
    match name.split('/').next() {
        Some("memif") => Some("memif/generator"),
        Some("veth") => Some("veth/generator"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_row_has_a_name_of_its_own_and_is_compared_with_one_that_there_is() {
        let names: HashSet<&str> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for row in ROWS {
            assert!(row.of.is_none_or(|of| names.contains(of)), "{}", row.name);
            let times = |bar| matches!(bar, Some(TimesAtLeast(_) | TimesAtMost(_)));
            let compared = times(row.first_slice) || times(row.goal);
            assert!(!compared || row.of.is_some(), "{}", row.name);
        }
    }

    #[test]
    fn the_readme_explains_each_row_and_no_other() {
        let readme = include_str!("../../../README.md");
        let explained = |name: &str| {
            readme
                .lines()
                .any(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")))
        };
        for row in ROWS {
            assert!(explained(row.name), "{} is not explained", row.name);
        }
        let quoted = readme.lines().filter_map(|line| line.strip_prefix("| `"));
        for line in quoted {
            let name = line.split('`').next().unwrap_or_default();
            // Criterion's benches have a table too, and names of one word.
            assert!(
                row(name).is_some() || !name.contains('/'),
                "{name} is no row"
            );
        }
    }

    #[test]
    fn a_bar_is_met_from_where_it_stands_on() {
        let reached = |bar: Bar, value, ratio| bar.reached(value, ratio).unwrap() >= 1.0;
        assert!(reached(TimesAtLeast(4.0), 0.0, Some(4.0)));
        assert!(!reached(TimesAtLeast(4.0), 9.0, Some(3.9)));
        assert!(reached(TimesAtMost(3.0), 9.0, Some(3.0)));
        assert!(!reached(TimesAtMost(3.0), 0.0, Some(3.1)));
        assert!(reached(AtMost(20.0), 20.0, None));
        assert!(!reached(AtMost(20.0), 20.1, Some(0.1)));
        assert_eq!(TimesAtLeast(4.0).reached(9.0, None), None);
    }
}
