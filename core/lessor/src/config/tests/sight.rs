use super::*;
use crate::eventlog::{Collector, Options};

fn with(section: &str) -> Settings {
    let (settings, report) = parse(&format!("{section}{GOOD}")).unwrap();
    assert_eq!(report, Report::default());
    settings
}

#[test]
fn a_log_goes_to_a_file_or_to_a_collector_or_to_both() {
    assert_eq!(good().event_log, Options::default());
    let log =
        with("[event_log]\nfile = \"/var/log/leases\"\nmax_size = \"1GiB\"\nkeep = 3").event_log;
    assert_eq!(log.file.as_deref(), Some(Path::new("/var/log/leases")));
    assert_eq!((log.max_size, log.keep, log.syslog), (1 << 30, 3, None));
    let to = |text: &str| {
        let log = with(&format!(
            "[event_log]\nfacility = \"auth\"\nsyslog = \"{text}\""
        ))
        .event_log;
        assert_eq!((log.file, log.facility), (None, 4));
        log.syslog
    };
    let udp = |text: &str| Some(Collector::Udp(text.parse().unwrap()));
    assert_eq!(to("192.0.2.7"), udp("192.0.2.7:514"));
    assert_eq!(to("192.0.2.7:601"), udp("192.0.2.7:601"));
    assert_eq!(to("[2001:db8::1]:601"), udp("[2001:db8::1]:601"));
    assert_eq!(to("2001:db8::1"), udp("[2001:db8::1]:514"));
    assert_eq!(to("/dev/log"), Some(Collector::Unix("/dev/log".into())));
}

#[test]
fn thresholds_are_put_in_order_and_may_be_none() {
    assert_eq!(good().alarms, Alarms::default());
    let alarms = |text: &str| with(&format!("[alarms]\n{text}")).alarms.pool_use;
    assert_eq!(alarms("pool_use = [0.95, 0.5, 0.95]"), [500, 950]);
    assert!(alarms("pool_use = []").is_empty());
}

#[test]
fn what_no_log_and_no_metrics_can_be_made_of_is_refused_at_its_place() {
    for (section, says) in [
        (
            "[event_log]\nkeep = 3",
            "event_log: `file` or `syslog` is missing",
        ),
        (
            "[event_log]\nfile = \"leases\"",
            "event_log.file: is not an absolute path",
        ),
        (
            "[event_log]\nfile = \"/l\"\nkeep = 0",
            "event_log.keep: must be from 1 to",
        ),
        (
            "[event_log]\nfile = \"/l\"\nmax_size = 9",
            "event_log.max_size: must be from 64KiB",
        ),
        (
            "[event_log]\nsyslog = \"collector.example\"",
            "event_log.syslog: is not an address",
        ),
        (
            "[event_log]\nfile = \"/l\"\nfacility = \"local8\"",
            "event_log.facility: must be one of",
        ),
        (
            "[event_log]\nfile = \"/l\"\nsyslogs = \"/s\"",
            "did you mean `syslog`?",
        ),
        (
            "[metrics]\nlisten = \"localhost:9547\"",
            "metrics.listen: is not an address",
        ),
        (
            "[metrics]\nlisten = \"127.0.0.1\"",
            "metrics.listen: is not an address",
        ),
        (
            "[metric]\nlisten = \"127.0.0.1:1\"",
            "did you mean `metrics`?",
        ),
        (
            "[alarms]\npool_use = [1.5]",
            "alarms.pool_use[0]: must be from 0.001 to 1",
        ),
        (
            "[alarms]\nhysteresis = 0.6",
            "alarms.hysteresis: must be from 0 to 0.5",
        ),
    ] {
        let found = faults(&format!("{section}{GOOD}"));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains(says), "{says}: {found:?}");
    }
}
