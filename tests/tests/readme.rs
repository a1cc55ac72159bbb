//! The README's list of conformance rows is that of the tests in the tree.

#![allow(
    clippy::unwrap_used,
    reason = "what fails ends the test with its message"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources under `dir`, but for what is built.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The rows that a line's function names: `fn c006_c014_a_short_reply…` is of two.
fn rows_of(line: &str) -> impl Iterator<Item = u16> {
    let name = line.trim_start().strip_prefix("fn ").unwrap_or_default();
    let row = |word: &str| match word.strip_prefix('c')? {
        digits if digits.len() == 3 => digits.parse().ok(),
        _ => None,
    };
    name.split('_').map_while(row)
}

/// The rows that have a test of their name.
fn tested() -> BTreeSet<u16> {
    let mut files = Vec::new();
    for room in ["core", "dpdk", "tests"] {
        sources(&root().join(room), &mut files);
    }
    let mut rows = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        // A function that is no test proves nothing.
        let mut is_test = false;
        for line in text.lines() {
            let line = line.trim_start();
            if line == "#[test]" {
                is_test = true;
            } else if line.starts_with("fn ") {
                rows.extend(rows_of(line).filter(|_| is_test));
                is_test = false;
            }
        }
    }
    rows
}

/// `C1 to C3, C7` as the rows that it names.
fn listed(text: &str) -> BTreeSet<u16> {
    let number = |word: &str| -> u16 { word.trim().strip_prefix('C').unwrap().parse().unwrap() };
    let mut rows = BTreeSet::new();
    for item in text.split(',') {
        let (first, last) = item.split_once(" to ").unwrap_or((item, item));
        rows.extend(number(first)..=number(last));
    }
    rows
}

/// The rows as [`listed`] reads them, in lines of at most 100 columns.
fn list(rows: &BTreeSet<u16>) -> String {
    let mut spans: Vec<(u16, u16)> = Vec::new();
    for row in rows {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *row => *last = *row,
            _ => spans.push((*row, *row)),
        }
    }
    let span = |(first, last): (u16, u16)| match last - first {
        0 => vec![format!("C{first}")],
        1 => vec![format!("C{first}"), format!("C{last}")],
        _ => vec![format!("C{first} to C{last}")],
    };
    let items: Vec<_> = spans.into_iter().flat_map(span).collect();
    let mut lines = vec![String::new()];
    for (at, item) in items.iter().enumerate() {
        let comma = if at + 1 == items.len() { "" } else { "," };
        let line = lines.last_mut().unwrap();
        if line.len() + item.len() + 2 > 100 {
            lines.push(format!("{item}{comma}"));
        } else {
            let space = if line.is_empty() { "" } else { " " };
            line.extend([space, item, comma]);
        }
    }
    lines.join("\n")
}

#[test]
fn the_readme_lists_the_rows_that_have_a_test() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, behind) = readme.split_once("<!-- rows -->").unwrap();
    let (text, _) = behind.split_once("<!-- /rows -->").unwrap();
    let (tested, text) = (tested(), text.replace('\n', " "));
    assert_eq!(listed(&list(&tested).replace('\n', " ")), tested);
    assert!(
        listed(&text) == tested,
        "README.md has to say between its marks:\n\n{}\n",
        list(&tested)
    );
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let links = readme.split("](").skip(1);
    let targets: Vec<_> = links.filter_map(|rest| rest.split(')').next()).collect();
    let files: Vec<_> = targets.iter().filter(|to| !to.starts_with('#')).collect();
    assert!(files.len() > 3, "{targets:?}");
    for file in files {
        assert!(root().join(file).is_file(), "{file}");
    }
}
