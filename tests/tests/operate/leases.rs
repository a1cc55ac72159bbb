//! `lessor leases export` and `import`, from one store into another.

use std::fs;
use std::process::Command;

use lessor_tests::lessor::binary;
use lessor_tests::may_make_namespaces;
use rustix::process::Signal;
use serde_json::Value;

use crate::site::{Ended, Site};

/// Where a site's export goes, and the same as an argument.
fn export(site: &Site, name: &str, format: &str) -> (String, Ended) {
    let file = site.path(name).display().to_string();
    let ended = site.lessor(&["leases", "export", "--format", format, "--output", &file]);
    (file, ended)
}

#[test]
fn leases_move_from_one_store_into_another_and_are_served() {
    for (format, name) in [("csv", "leases.csv"), ("jsonl", "leases.jsonl")] {
        let (from, to) = (Site::new(), Site::new());
        from.fill_store(40);
        let (file, ended) = export(&from, name, format);
        let due = format!("40 leases written to {file}\n");
        assert_eq!((ended.code, ended.stderr), (Some(0), due));
        let checked = to.lessor(&["leases", "import", &file, "--dry-run"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        assert!(!to.path("store").exists());
        let ended = to.lessor(&["leases", "import", &file]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended
                .stdout
                .contains("40 leases imported; 0 were there already"),
            "{ended:?}"
        );
        let again = to.lessor(&["leases", "import", &file, "--json"]);
        let sum: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(
            (&sum["written"], &sum["unchanged"]),
            (&0.into(), &40.into())
        );
        let list = |site: &Site| site.lessor(&["leases", "list"]).stdout;
        assert_eq!(list(&from), list(&to));
        let verified = to.lessor(&["store", "verify"]);
        assert!(verified.stdout.starts_with("0 faults;"), "{verified:?}");
        let mut server = to.serve();
        let log = server.log();
        assert!(log.contains("event=bindings.restored bindings=40"), "{log}");
        let shown = to.lessor(&["leases", "show", "10.77.0.33", "--json"]);
        let lease: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(lease["state"], "active");
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_running_server_may_be_exported_from_and_not_imported_into() {
    let site = Site::new();
    site.fill_store(3);
    let mut server = site.serve();
    let file = site.path("leases.csv").display().to_string();
    let ended = site.lessor(&["leases", "export", "-o", &file]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let refused = site.lessor(&["leases", "import", &file]);
    let holder = format!("in use by process {}", server.id());
    refused.complains(69, &["stop the server first", &holder]);
    let checked = site.lessor(&["leases", "import", &file, "--dry-run"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(server.ended().is_none());
}

#[test]
fn an_import_file_that_is_cut_off_is_told_and_nothing_is_written() {
    let (from, to) = (Site::new(), Site::new());
    from.fill_store(20);
    let (file, _) = export(&from, "leases.jsonl", "jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let at_a_border = lines[..15].concat();
    let in_a_line = format!("{at_a_border}{}", &lines[15][..60]);
    for (part, place) in [(at_a_border, ":15: "), (in_a_line, ":16: ")] {
        fs::write(&file, part).unwrap();
        let ended = to.lessor(&["leases", "import", &file]);
        let place = format!("{file}{place}the file ");
        ended.complains(65, &[&place, "cut off", "1 fault, nothing was imported"]);
        assert!(!to.path("store").exists());
        let ended = to.lessor(&["leases", "import", &file, "--json"]);
        let sum: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &sum["ok"]), (Some(65), &false.into()));
        assert!(sum["faults"][0]["line"].as_u64() >= Some(15));
    }
}

#[test]
fn an_export_to_standard_output_is_what_other_programs_read() {
    let site = Site::new();
    site.fill_store(3);
    let ended = site.lessor(&["leases", "export"]);
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), "3 leases written\n")
    );
    let rows = ended.stdout.lines().map(serde_json::from_str::<Value>);
    let rows: Vec<_> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(
        (&rows[2]["address"], &rows[3]["rows"]),
        (&"10.77.0.12".into(), &3.into())
    );
    let none = site.lessor(&["leases", "export", "--format", "csv", "--state", "released"]);
    assert_eq!(none.stdout.lines().count(), 2, "{none:?}");
    let ended = site.lessor(&["leases", "export", "--output", "/nowhere/leases"]);
    ended.complains(73, &["cannot make /nowhere/leases.part"]);
}

#[test]
fn what_keeps_a_file_from_being_imported_has_its_exit_code() {
    let site = Site::new();
    let path = |name: &str| site.path(name).display().to_string();
    let import = |file: &str| site.lessor(&["leases", "import", file]);
    import(&path("leases.csv")).complains(66, &["cannot read", "leases.csv"]);
    import(&path("leases")).complains(64, &["say --format"]);
    fs::create_dir(site.path("folder.csv")).unwrap();
    import(&path("folder.csv")).complains(66, &["is not a regular file"]);
    fs::write(site.path("bad.csv"), "address,hwaddr\n10.0.0.1,x\n").unwrap();
    import(&path("bad.csv")).complains(65, &["bad.csv:1: unknown column `hwaddr`; for Kea"]);
    site.fill_store(1);
    fs::write(site.path("store/format"), "lessor-store 99\n").unwrap();
    import(&path("bad.csv")).complains(65, &["has format version 99"]);
}

#[test]
fn an_import_into_a_full_disk_ends_in_74() {
    if !may_make_namespaces() {
        return;
    }
    let (from, to) = (Site::new(), Site::new());
    let row = |n: u16| {
        let [high, low] = n.to_be_bytes();
        format!("10.78.{high}.{low},active,client-id,01:{high:02x}:{low:02x},1700000000,,60\n")
    };
    let names = "address,kind,identity_type,identity,since,expires,lease_time\n";
    let rows: Vec<_> = (0..40_000).map(row).collect();
    let file = from.path("leases.csv").display().to_string();
    fs::write(&file, [names, &rows.concat()].concat()).unwrap();
    let store = to.path("store").display().to_string();
    fs::create_dir(&store).unwrap();
    let script = format!("mount -t tmpfs -o size=1m none '{store}'; exec \"$0\" \"$@\"");
    let import = ["import", &file, "--no-end-mark", "--allow-outside"];
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-ec", &script])
        .arg(binary());
    command
        .arg("leases")
        .args(import)
        .arg("--config")
        .arg(to.path("lessor.toml"));
    let ended = Ended::of(&mut command);
    // A store may also see beforehand that it has no room.
    ended.complains(74, &[]);
    assert!(
        ended
            .stderr
            .contains("import the file again to complete it")
            || ended.stderr.contains("is full"),
        "{ended:?}"
    );
}
