use super::*;

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory as _;
    Command::command().debug_assert();
}

#[test]
fn a_failure_says_each_cause_once() {
    let source = io::Error::other("disk on fire");
    let path = PathBuf::from("/x");
    let error = LoadError::Unreadable {
        path,
        error: source,
    };
    assert_eq!(
        Failure::from(error).to_string(),
        "lessor: cannot read /x: disk on fire"
    );
    let (dir, source) = (PathBuf::from("/x"), io::Error::other("disk on fire"));
    let error = StoreError::Missing { dir, source };
    assert_eq!(
        Failure::from(error)
            .to_string()
            .matches("disk on fire")
            .count(),
        1
    );
}

#[test]
fn faults_of_a_file_are_lines_before_the_sum() {
    let (path, report) = (PathBuf::from("/x"), config::parse("a = 1").unwrap_err());
    let shown = Failure::from(LoadError::Invalid { path, report }).to_string();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "/x:1:1: `ports` is missing",
            "/x:1:1: a: unknown key",
            "lessor: /x has 2 fault(s)",
        ]
    );
}
