//! `vlan` of an address: one VLAN, a range of them, or outer and inner ones.

use dhcp_proto::config::Vlans;

use super::fault::Reason;
use super::text;
use super::value::Value;

/// The first and the last VLAN that a network may have, 802.1Q §9.6.
const FIRST: u16 = 1;
const LAST: u16 = 4094;

/// 100, "100-199", or two of these, the outer one first.
pub(super) fn read(value: &Value<'_>) -> Option<Vlans> {
    let none = (0, 0);
    if !value.is_array() {
        let outer = value.accept(range(value))?;
        return Some(Vlans { outer, inner: none });
    }
    match value.all(range)?.as_slice() {
        [(_, outer)] => Some(Vlans {
            outer: *outer,
            inner: none,
        }),
        [(_, outer), (_, inner)] => Some(Vlans {
            outer: *outer,
            inner: *inner,
        }),
        _ => value.accept(Err(Reason::Malformed(
            "one VLAN or two, the outer one first",
        ))),
    }
}

/// First and last of a range, or the one VLAN twice.
fn range(value: &Value<'_>) -> Result<(u16, u16), Reason> {
    if !value.is_text() {
        let vid = value.number(FIRST..=LAST)?;
        return Ok((vid, vid));
    }
    let text = value.text()?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = vid(first).zip(vid(last));
    range
        .filter(|(first, last)| first <= last)
        .ok_or(Reason::Malformed(
            "a VLAN from 1 to 4094 or a rising range of them such as \"100-199\"",
        ))
}

fn vid(text: &str) -> Option<u16> {
    text::number(text.trim()).filter(|vid| (FIRST..=LAST).contains(vid))
}
