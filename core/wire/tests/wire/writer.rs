//! Messages written: overload, splits, relay agent information, and nothing stale.

use std::net::Ipv4Addr;

use dhcp_wire::dhcp::{Finished, Header, MIN_LEN, Message, NoRoom, Writer, code, op};
use proptest::prelude::*;

const AGENT_INFO: &[u8] = b"\x52\x06\x01\x04abcd\x52\x03\x01\x09x";

const HEADER: Header = Header {
    op: op::REPLY,
    htype: 1,
    hlen: 6,
    hops: 0,
    xid: 0x1234_5678,
    secs: 0,
    flags: 0,
    ciaddr: Ipv4Addr::UNSPECIFIED,
    yiaddr: Ipv4Addr::new(10, 0, 0, 9),
    siaddr: Ipv4Addr::UNSPECIFIED,
    giaddr: Ipv4Addr::UNSPECIFIED,
    chaddr: *b"\x02\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0",
};

type RawOption = (u8, Vec<u8>);

/// A message, read more strictly than a client would.
struct Written {
    options: Vec<RawOption>,
    file: Vec<RawOption>,
    sname: Vec<RawOption>,
    octets: Vec<u8>,
}

/// A field that begins with an option and has one END with only PAD behind it (C6, C7, C9).
fn field(octets: &[u8]) -> Vec<RawOption> {
    let mut options = Vec::new();
    let mut rest = octets;
    loop {
        match rest {
            [255, pad @ ..] => {
                assert!(
                    pad.iter().all(|octet| *octet == 0),
                    "behind END: {pad:02x?}"
                );
                return options;
            }
            [code, len, data @ ..] if *code != 0 && data.len() >= usize::from(*len) => {
                let (data, behind) = data.split_at(usize::from(*len));
                options.push((*code, data.to_vec()));
                rest = behind;
            }
            other => panic!("no option: {other:02x?}"),
        }
    }
}

impl Written {
    fn read(octets: &[u8]) -> Self {
        let options = field(&octets[240..]);
        let mut overloads = options.iter().filter(|(code, _)| *code == code::OVERLOAD);
        let overload = overloads.next().map_or(0, |(_, data)| {
            assert_eq!(data.len(), 1);
            assert!((1..=3).contains(&data[0]));
            data[0]
        });
        assert_eq!(overloads.count(), 0);
        let over = |bit: u8, octets: &[u8]| {
            if overload & bit == 0 {
                return Vec::new();
            }
            let options = field(octets);
            assert!(!options.is_empty(), "overloaded with nothing");
            options
        };
        Self {
            file: over(1, &octets[108..236]),
            sname: over(2, &octets[44..108]),
            options,
            octets: octets.to_vec(),
        }
    }

    /// What all instances of a code make together.
    fn joined(&self, code: u8) -> Vec<u8> {
        let fields = self.options.iter().chain(&self.file).chain(&self.sname);
        fields
            .filter(|(found, _)| *found == code)
            .flat_map(|(_, data)| data.clone())
            .collect()
    }

    fn is_overloaded(&self) -> bool {
        self.options.iter().any(|(code, _)| *code == code::OVERLOAD)
    }
}

/// Writes with `fill`, twice over different stale octets, and reads the result.
fn write<T>(
    limit: usize,
    agent_info: &[u8],
    fill: impl Fn(&mut Writer<'_>) -> T,
) -> (T, Finished, Written) {
    let run = |stale: u8| {
        let mut buf = vec![stale; limit + 40];
        let mut writer = Writer::new(&mut buf, limit, &HEADER).unwrap();
        let filled = fill(&mut writer);
        let finished = writer.finish(agent_info);
        assert!(finished.len <= limit);
        assert!(
            buf[limit..].iter().all(|octet| *octet == stale),
            "beyond the limit"
        );
        buf.truncate(finished.len);
        (filled, finished, buf)
    };
    let (filled, finished, octets) = run(0xa5);
    let (_, again, other) = run(0x5a);
    assert_eq!(
        (finished, &octets),
        (again, &other),
        "stale octets were sent"
    );
    (filled, finished, Written::read(&octets))
}

#[test]
fn a_buffer_or_limit_below_the_shortest_message_is_refused() {
    assert!(Writer::new(&mut [0; 299], 1000, &HEADER).is_none());
    assert!(Writer::new(&mut [0; 1000], 299, &HEADER).is_none());
    assert!(Writer::new(&mut [0; 300], 300, &HEADER).is_some());
}

#[test]
fn c006_c014_a_short_reply_ends_with_end_and_is_padded_to_300_octets() {
    let ((), finished, written) = write(548, &[], |writer| {
        writer.option(53, &[2]).unwrap();
    });
    assert_eq!(
        finished,
        Finished {
            len: MIN_LEN,
            agent_info_written: true
        }
    );
    assert_eq!(written.options, [(53, vec![2])]);
    assert_eq!(written.octets.len(), 300);
    assert!(written.octets[44..236].iter().all(|octet| *octet == 0));
}

#[test]
fn c006_a_long_reply_ends_with_end() {
    let ((), finished, written) = write(548, &[], |writer| {
        writer.option(43, &[7; 100]).unwrap();
    });
    assert_eq!(finished.len, 240 + 102 + 1);
    assert_eq!(written.octets.last(), Some(&255));
}

#[test]
fn c007_overloaded_fields_begin_with_an_option_and_have_their_own_end() {
    for (codes, overload) in [(1..=1, 0), (1..=2, 1), (1..=3, 1), (1..=4, 3)] {
        let (fits, _, written) = write(300, &[], |writer| {
            codes
                .clone()
                .map(|code| writer.option(code, &[code; 50]).is_ok())
                .collect::<Vec<_>>()
        });
        assert!(fits.iter().all(|fit| *fit));
        let stated = if overload == 0 {
            vec![]
        } else {
            vec![overload]
        };
        assert_eq!(written.joined(code::OVERLOAD), stated);
    }
    let (fit, _, written) = write(300, &[], |writer| {
        (
            writer.file(b"boot"),
            writer.option(1, &[1; 50]),
            writer.option(2, &[2; 50]),
        )
    });
    assert_eq!(fit, (true, Ok(()), Ok(())));
    assert_eq!(written.sname, [(2, vec![2; 50])]);
    assert_eq!(written.joined(code::OVERLOAD), [2]);
}

#[test]
fn c009_an_option_lies_whole_inside_one_field() {
    let (fits, _, written) = write(300, &[], |writer| {
        // 60 octets of options, 4 of them for 52 and END; 127 in `file`; 63 in `sname`.
        [(1, 54), (2, 125), (3, 61), (4, 0)]
            .map(|(code, len)| writer.option(code, &vec![code; len]))
    });
    assert_eq!(fits, [Ok(()), Ok(()), Ok(()), Err(NoRoom)]);
    let codes = |options: &[RawOption]| options.iter().map(|(code, _)| *code).collect::<Vec<_>>();
    assert_eq!(codes(&written.options), [1, code::OVERLOAD]);
    assert_eq!(
        (codes(&written.file), codes(&written.sname)),
        (vec![2], vec![3])
    );
}

#[test]
fn an_option_too_long_for_what_is_left_of_any_field_is_left_out_whole() {
    let (fits, _, written) = write(300, &[], |writer| {
        [
            writer.option(1, &[1; 126]),
            writer.option(2, &[2; 255]),
            writer.option(3, &[3; 4]),
        ]
    });
    assert_eq!(fits, [Err(NoRoom), Err(NoRoom), Ok(())]);
    assert_eq!(written.options, [(3, vec![3; 4])]);
    assert!(!written.is_overloaded());
}

#[test]
fn c163_overload_comes_only_when_the_options_field_is_full() {
    for len in 0..=300 {
        let (fit, _, written) = write(548, &[], |writer| writer.option(43, &vec![7; len]));
        assert_eq!(fit, Ok(()));
        let octets = len + if len > 255 { 4 } else { 2 };
        assert_eq!(written.is_overloaded(), octets > 308 - 4, "{len}");
    }
    // What finds no room goes on; a later option that fits still goes to the options field.
    let (_, _, written) = write(300, &[], |writer| {
        (
            writer.option(1, &[1; 50]),
            writer.option(2, &[2; 20]),
            writer.option(3, &[3; 1]),
        )
    });
    assert_eq!(written.options[1], (3, vec![3]));
    assert_eq!(written.file, [(2, vec![2; 20])]);
}

#[test]
fn c163_a_field_with_boot_data_is_never_overloaded() {
    let (fits, _, written) = write(300, &[], |writer| {
        assert!(writer.sname(b"boot.example.net") && writer.file(b"pxelinux.0"));
        // No field can be overloaded: option 52 needs no room.
        [writer.option(1, &[1; 57]), writer.option(2, &[])]
    });
    assert_eq!(fits, [Ok(()), Err(NoRoom)]);
    assert!(!written.is_overloaded());
    let message = Message::parse(&written.octets).unwrap();
    assert!(message.sname().starts_with(b"boot.example.net\0"));
    assert!(message.file().starts_with(b"pxelinux.0\0"));
}

#[test]
fn boot_data_needs_a_free_field_and_room_for_its_nul() {
    let (names, _, written) = write(300, &[], |writer| {
        let sname = [
            writer.sname(&[b'x'; 64]),
            writer.sname(&[b'x'; 63]),
            writer.sname(b"y"),
        ];
        writer.option(1, &[1; 50]).unwrap();
        writer.option(2, &[2; 50]).unwrap();
        (sname, writer.file(b"too late"), writer.file(b""))
    });
    assert_eq!(names, ([false, true, false], false, true));
    assert_eq!(written.file, [(2, vec![2; 50])]);
    assert_eq!(
        written.octets[44..108].split_last(),
        Some((&0, [b'x'; 63].as_slice()))
    );
}

#[test]
fn c088_c089_agent_info_is_last_before_end_as_it_came() {
    for codes in [1..1, 1..2, 1..4] {
        let ((), finished, written) = write(320, AGENT_INFO, |writer| {
            writer.reserve(AGENT_INFO.len());
            codes
                .clone()
                .for_each(|code| writer.option(code, &[code; 50]).unwrap());
        });
        assert!(finished.agent_info_written);
        let tail = [(82, b"\x01\x04abcd".to_vec()), (82, b"\x01\x09x".to_vec())];
        assert!(written.options.ends_with(&tail));
    }
}

#[test]
fn c090_agent_info_never_goes_to_file_or_sname() {
    let (fit, finished, written) = write(300, &[82; 0], |writer| writer.option(82, b"\x01\0"));
    assert_eq!((fit, finished.agent_info_written), (Err(NoRoom), true));
    assert!(!written.is_overloaded());
}

#[test]
fn c091_agent_info_that_does_not_fit_is_left_out_whole() {
    let mut agent_info = vec![82, 56];
    agent_info.resize(58, 7);
    for (len, fits) in [(59, true), (60, false), (200, false)] {
        agent_info.resize(len, 7);
        agent_info[1] = u8::try_from(len - 2).unwrap();
        let ((), finished, written) = write(300, &agent_info, |_| ());
        assert_eq!(finished.agent_info_written, fits, "{len}");
        assert_eq!(written.options.is_empty(), !fits);
    }
}

#[test]
fn c162_what_is_reserved_is_kept_from_options() {
    let (fits, finished, written) = write(300, AGENT_INFO, |writer| {
        writer.reserve(AGENT_INFO.len());
        assert!(writer.fits(41) && writer.sname(b"x") && writer.file(b"x"));
        assert!(writer.fits(44) && !writer.fits(45));
        [writer.option(1, &[1; 45]), writer.option(2, &[2; 44])]
    });
    assert_eq!(fits, [Err(NoRoom), Ok(())]);
    assert!(finished.agent_info_written);
    assert_eq!((finished.len, written.octets.len()), (300, 300));
}

#[test]
fn a_reserve_beyond_the_field_leaves_it_empty() {
    for octets in [60, 1000, usize::MAX] {
        let (fit, finished, written) = write(300, AGENT_INFO, |writer| {
            writer.reserve(octets);
            writer.reserve(octets);
            writer.option(1, &[1])
        });
        assert_eq!((fit, finished.agent_info_written), (Ok(()), true));
        assert_eq!(written.file, [(1, vec![1])]);
    }
}

#[test]
fn c105_a_long_option_is_split_into_consecutive_ones() {
    let data: Vec<u8> = (0..=255).cycle().take(600).collect();
    let (fit, _, written) = write(1472, &[], |writer| writer.option(121, &data));
    assert_eq!(fit, Ok(()));
    let lens: Vec<_> = written
        .options
        .iter()
        .map(|(code, data)| (*code, data.len()))
        .collect();
    assert_eq!(lens, [(121, 255), (121, 255), (121, 90)]);
    assert_eq!(written.joined(121), data);
}

#[test]
fn c105_c107_fragments_over_fields_come_in_the_order_they_are_read() {
    let data: Vec<u8> = (0..=255).cycle().take(256).collect();
    let (fit, _, written) = write(320, &[], |writer| {
        writer.option(53, &[2]).unwrap();
        writer.option(121, &data)
    });
    assert_eq!(fit, Ok(()));
    assert_eq!((written.file.len(), written.sname.len()), (1, 1));
    assert_eq!(written.joined(121), data);
    let message = Message::parse(&written.octets).unwrap();
    assert_eq!(
        message.options().unwrap().get(121).unwrap(),
        data.as_slice()
    );
}

#[test]
fn c169_no_code_is_written_twice_and_none_of_the_writers_own() {
    let ((), _, written) = write(548, &[], |writer| {
        for code in [0, 52, 82, 255] {
            assert_eq!(writer.option(code, &[1]), Err(NoRoom));
        }
        for code in 1..=254 {
            let expected = !matches!(code, 52 | 82);
            assert!(!writer.contains(code));
            assert_eq!(
                writer.option(code, &[]).is_ok(),
                expected && writer.contains(code)
            );
            assert_eq!(writer.option(code, &[]), Err(NoRoom));
        }
    });
    let mut codes: Vec<_> = [&written.options, &written.file, &written.sname]
        .iter()
        .flat_map(|options| options.iter().map(|(code, _)| *code))
        .collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
}

proptest! {
    /// One long option behind others, in any room: all of it or nothing.
    #[test]
    fn c105_split_and_joined_is_the_same(
        data in prop::collection::vec(any::<u8>(), 0..=2000),
        limit in 300usize..=2600,
        before in prop::collection::vec(0usize..=80, 0..6),
        reserve in 0usize..60,
        boot in any::<(bool, bool)>(),
    ) {
        let (fits, finished, written) = write(limit, &AGENT_INFO[..8], |writer| {
            writer.reserve(8 + reserve);
            if boot.0 { writer.sname(b"server"); }
            if boot.1 { writer.file(b"file"); }
            for (code, len) in (200..).zip(&before) {
                let _ = writer.option(code, &vec![code; *len]);
            }
            let fits = writer.fits(data.len());
            assert_eq!(writer.option(121, &data).is_ok(), fits);
            fits
        });
        prop_assert!(finished.agent_info_written || limit < 300 + 8);
        prop_assert_eq!(written.joined(121), if fits { data.clone() } else { vec![] });
        let message = Message::parse(&written.octets).unwrap();
        let options = message.options().unwrap();
        prop_assert!(!options.faults().no_end && !options.faults().overload);
        match options.get(121) {
            Some(value) => prop_assert_eq!(value, data.as_slice()),
            None => prop_assert!(!fits),
        }
        if fits && data.len() <= 255 {
            prop_assert!(options.get(121).unwrap().contiguous().is_some());
        }
    }

    /// Any options at all: those that were taken are read back, the others left no trace.
    #[test]
    fn what_is_written_is_parsed(
        options in prop::collection::vec(
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)),
            0..40,
        ),
        limit in 300usize..=1500,
    ) {
        let (taken, _, written) = write(limit, AGENT_INFO, |writer| {
            writer.reserve(AGENT_INFO.len());
            let mut taken: Vec<&RawOption> = Vec::new();
            for option in &options {
                if writer.option(option.0, &option.1).is_ok() {
                    taken.push(option);
                }
            }
            taken.into_iter().cloned().collect::<Vec<_>>()
        });
        let message = Message::parse(&written.octets).unwrap();
        let parsed = message.options().unwrap();
        for (code, data) in &taken {
            prop_assert_eq!(parsed.get(*code).unwrap(), data.as_slice());
        }
        for code in (1..=254).filter(|code| !matches!(code, 52 | 82)) {
            let expected = taken.iter().any(|(taken, _)| *taken == code);
            prop_assert_eq!(parsed.contains(code), expected);
        }
        prop_assert_eq!(parsed.instances(82).collect::<Vec<_>>().concat(), AGENT_INFO);
    }
}
