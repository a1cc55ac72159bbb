//! What is wrong with a file by itself, each with its place.

use super::*;

fn first_lines(text: &str, count: usize) -> String {
    text.split_inclusive('\n').take(count).collect()
}

/// Checks that a file is refused for this alone, and nothing is made.
fn refused(scene: &Scene, layout: Layout, text: impl AsRef<[u8]>, due: &str) {
    let text = text.as_ref();
    let outcome = scene.import(layout, text).unwrap();
    let told = told(&outcome);
    let shown = String::from_utf8_lossy(text);
    assert!(
        told.len() == 1 && told[0].starts_with(due),
        "{told:#?} instead of {due:?} for\n{shown}"
    );
    assert_eq!(outcome.written, 0);
    assert!(!scene.path("store").exists());
}

/// A text of a good file, what stands there instead, and what is told of it.
type Case = (&'static str, &'static str, &'static str);

const VALUES: &[Case] = &[
    (
        "\"10.0.0.10\"",
        "\"10.0.0.256\"",
        "address: `10.0.0.256` is not an IPv4 address",
    ),
    (
        "\"space\":0",
        "\"space\":65536",
        "space: 65536 is above 65535",
    ),
    (
        "\"space\":0",
        "\"space\":-1",
        "space: `-1` is not a whole number",
    ),
    (
        "\"kind\":\"active\"",
        "\"kind\":\"time\"",
        "kind: `time` is not a kind of record",
    ),
    (
        "\"state\":\"active\"",
        "\"state\":\"released\"",
        "state: `released` contradicts",
    ),
    (
        "\"chaddr\"",
        "\"mac\"",
        "identity_type: `mac` is not client-id, chaddr",
    ),
    (
        "\"01:02:",
        "\"1:02:",
        "identity: `1:02:00:00:00:00:05` is not up to 255 octets",
    ),
    (
        "\"hw_type\":1",
        "\"hw_type\":256",
        "hw_type: 256 is above 255",
    ),
    (
        ":00:05\",\"since",
        ":00:0g\",\"since",
        "hw_address: `02:00:00:00:00:0g` is not a hard",
    ),
    (
        "1799999940",
        "\"yesterday\"",
        "since: `yesterday` is not a whole number",
    ),
    (
        "T07:59:00Z",
        "T07:59:01Z",
        "since_utc: `2027-01-15T07:59:01Z` contradicts",
    ),
    (
        "T09:00:00Z",
        "T09:00:01Z",
        "expires_utc: `2027-01-15T09:00:01Z` contradicts",
    ),
    (
        "3660",
        "4294967296",
        "lease_time: 4294967296 is above 4294967295",
    ),
    (
        "n\":3,",
        "n\":9007199254740992,",
        "generation: 9007199254740992 is above 90071992547409",
    ),
    (
        "\"10.9.0.1\"",
        "\"relay\"",
        "relay: `relay` is not an IPv4 address",
    ),
    (
        "\"port\":1",
        "\"port\":1.5",
        "port: `1.5` is not a whole number",
    ),
    ("200", "4096", "outer_vlan: 4096 is above 4095"),
    (":30", ":70000", "inner_vlan: 70000 is above 4095"),
    (
        "0102ab07",
        "0102ab7",
        "agent_info: `0102ab7` is not up to 512 octets",
    ),
];

const JSON_LINES: &[Case] = &[
    (
        "}\n",
        "\n",
        "1: is not a JSON object: EOF while parsing an object at column",
    ),
    ("{", "[", "1: is not a JSON object: "),
    ("\"space\"", "\"spice\"", "1: unknown column `spice`"),
    (
        "\"space\":0",
        "\"space\":0,\"space\":1",
        "1: space: the column is there twice",
    ),
    (
        "\"since\":1799999940,",
        "",
        "1: since: the column is missing",
    ),
    (
        "1799999940",
        "\"x\"",
        "1: since: `\"x\"` is not a number or null",
    ),
    (
        "\"10.0.0.10\"",
        "[]",
        "1: address: `[]` is not a string or null",
    ),
    ("\"chaddr\"", "null", "1: identity_type: must not be empty"),
    (
        r#""end":true,"rows":2"#,
        r#""end":true,"rows":3"#,
        "3: the end mark says 3 rows and 2 came",
    ),
    (
        "\"version\":1",
        "\"version\":2",
        "3: the file has version 2, this release knows 1",
    ),
    ("\"version\":1", "\"version\":\"1\"", "3: is no end mark"),
];

const CSV_LINES: &[Case] = &[
    (
        "address,space",
        "address,spice",
        "1: unknown column `spice`",
    ),
    (
        "space,",
        "address,",
        "1: address: the column is there twice",
    ),
    (",since,", ",port,", "1: port: the column is there twice"),
    ("chaddr,", "", "2: has 18 values, the line of names has 19"),
    ("chaddr", "\"chaddr", "2: a quote is not closed"),
    (
        "chaddr",
        "cha\rddr",
        "2: a quote is not closed, or a carriage return",
    ),
    (
        ",chaddr,01:02:00:00:00:00:05",
        ",,",
        "2: identity_type: must not be empty",
    ),
    (
        ",chaddr,01:02:",
        ",,01:02:",
        "2: identity_type: must not be empty",
    ),
    ("end,2", "end,1", "4: the end mark says 1 rows and 2 came"),
    ("end,2", "end,x", "4: is no end mark"),
    ("end,2,1", "end,2,2", "4: the file has version 2"),
];

#[test]
fn a_wrong_value_is_told_with_line_and_column_in_both_formats() {
    let scene = Scene::new();
    let good = text(&[lease(10, 5)], Format::Jsonl);
    for (from, to, due) in VALUES {
        assert!(good.contains(from), "{from}");
        let bad = good.replacen(from, to, 1);
        if !to.contains("yesterday") {
            refused(&scene, Layout::Jsonl, &bad, &format!("1: {due}"));
        }
        let first: serde_json::Value = serde_json::from_str(bad.lines().next().unwrap()).unwrap();
        let value = |name: &str| match first[name].as_str() {
            Some(text) => text.to_owned(),
            None => first[name].to_string(),
        };
        let csv = text(&[lease(10, 5)], Format::Csv);
        let mut lines: Vec<_> = csv.lines().map(str::to_owned).collect();
        let names: Vec<_> = lines[0].split(',').map(value).collect();
        lines[1] = names.join(",");
        let bad = lines.join("\r\n") + "\r\n";
        refused(&scene, Layout::Csv, bad, &format!("2: {due}"));
    }
}

#[test]
fn a_wrong_line_of_json_is_told() {
    let scene = Scene::new();
    let good = text(&[lease(10, 5), lease(11, 6)], Format::Jsonl);
    let with = |from: &str, to: &str| good.replacen(from, to, 1);
    let cases = JSON_LINES
        .iter()
        .map(|(from, to, due)| (with(from, to), *due));
    let others = [
        (
            format!("{good}{}\n", good.lines().next().unwrap()),
            "4: there is a row behind the end mark of line 3",
        ),
        (
            first_lines(&good, 2),
            "2: the file ends without its end mark after 2 rows",
        ),
        (String::new(), "1: the file is empty"),
        ("\n\n".into(), "1: the file is empty"),
    ];
    for (bad, due) in cases.chain(others) {
        refused(&scene, Layout::Jsonl, bad, due);
    }
    let mut octets = good.clone().into_bytes();
    octets[20] = 0xff;
    refused(
        &scene,
        Layout::Jsonl,
        octets,
        "1: the line is not UTF-8 text",
    );
    let long = format!("{}\n{good}", "x".repeat(70_000));
    assert!(told(&scene.check(Layout::Jsonl, long))[0].starts_with("1: the line has more than"));
}

#[test]
fn a_wrong_line_of_csv_is_told() {
    let scene = Scene::new();
    let good = text(&[lease(10, 5), lease(11, 6)], Format::Csv);
    let with = |from: &str, to: &str| good.replacen(from, to, 1);
    let cases = CSV_LINES
        .iter()
        .map(|(from, to, due)| (with(from, to), *due));
    let others = [
        (
            good.replace("end,2,1,,,,,,,,,,,,,,,,\n", ""),
            "3: the file ends without its end mark after 2 rows",
        ),
        (
            format!("{good}\n{good}"),
            "6: there is a row behind the end mark of line 4",
        ),
        (
            good.trim_end().trim_end_matches(',').to_owned(),
            "4: the file is cut off in this line",
        ),
    ];
    for (bad, due) in cases.chain(others) {
        let outcome = scene.check(Layout::Csv, &bad);
        let told = told(&outcome);
        assert!(
            told[0].starts_with(due),
            "{told:#?} instead of {due:?} for\n{bad}"
        );
    }
    let kea = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id\n";
    let told = told(&scene.check(Layout::Csv, kea));
    assert!(told[0].contains("unknown column `hwaddr`; for Kea's lease file say --format kea-csv"));
}

#[test]
fn all_faults_of_all_rows_are_told_at_once() {
    let scene = Scene::new();
    let good = text(&[lease(10, 5), lease(11, 6), lease(12, 7)], Format::Csv);
    let bad = good
        .replace("10.0.0.10,0,", "10.0.0.x,99999,")
        .replace("10.0.0.12,0,active,active", "10.0.0.12,0,active,expired")
        .replace(":07,1799999940", ":07,1899999940");
    let told = told(&scene.check(Layout::Csv, bad));
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].starts_with("2: address: ") && told[1].starts_with("2: space: "));
    assert!(told[2].starts_with("4: since_utc: `2027-01-15T07:59:00Z` contradicts"));
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_told_with_its_last_line() {
    let scene = Scene::new();
    for format in [Format::Jsonl, Format::Csv] {
        let good = text(&[lease(10, 5), released(11, 6)], format);
        for cut in 0..good.len() - 1 {
            let part = &good[..cut];
            let told = told(&scene.check(layout(format), part));
            let line = part.lines().count().max(1);
            assert!(
                !told.is_empty()
                    && told
                        .iter()
                        .all(|fault| fault.starts_with(&format!("{line}: "))),
                "{told:?} in\n{part}"
            );
            assert!(
                told[0].contains("cut off") || cut == 0,
                "{told:?} in\n{part}"
            );
        }
        let whole = &good[..good.len() - 1];
        assert_eq!(told(&scene.check(layout(format), whole)), [""; 0]);
    }
    assert!(!scene.path("store").exists());
}

#[test]
fn without_end_mark_a_cut_line_is_still_told() {
    let mut scene = Scene::new();
    scene.lenience.no_end_mark = true;
    for (format, last) in [(Format::Jsonl, 2), (Format::Csv, 3)] {
        let good = text(&[lease(10, 5), released(11, 6)], format);
        let rows = first_lines(&good, last);
        assert_eq!(told(&scene.check(layout(format), &rows)), [""; 0]);
        let due = format!("{last}: the file is cut off in this line");
        assert_eq!(
            told(&scene.check(layout(format), &rows[..rows.len() - 3])),
            [due]
        );
    }
}
