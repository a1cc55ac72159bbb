//! Options as written in the file, encoded once.
//!
//! Every value may be written by its option's type, or as `"hex:…"` (not where the type is text),
//! or as `{ type = value }`, which also gives options without a name a type.

mod table;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::fault::Reason;
use super::table::Table;
use super::text;
use super::value::Value;
use table::{Definition, Kind, by_code, find};

/// The name of an option; empty if it has none.
pub(super) fn name(code: u8) -> &'static str {
    by_code(code).name
}

/// Options by code, as they go on the wire.
pub(super) type Options = BTreeMap<u8, Box<[u8]>>;

/// Reads a table of options over what is inherited; an empty list takes an option away.
pub(super) fn read(table: Table<'_>, options: &mut Options) {
    for (name, value) in table.free_entries() {
        let definition = value.accept(find(name).map_err(Reason::UnknownOption));
        let Some(Definition { code, kind, .. }) = definition else {
            continue;
        };
        if value.is_array() && value.list().is_ok_and(|list| list.is_empty()) {
            options.remove(&code);
        } else if let Some(octets) = encode(&value, kind) {
            options.insert(code, octets);
        }
    }
}

/// A list of options by name or code.
pub(super) fn codes(value: &Value<'_>) -> Option<Vec<u8>> {
    let code = |value: &Value<'_>| {
        let definition = if value.is_integer() {
            by_code(value.number(1..=254)?)
        } else {
            find(value.text()?).map_err(Reason::UnknownOption)?
        };
        if let Kind::Made(why) = definition.kind {
            Err(Reason::MadeOption(why))
        } else {
            Ok(definition.code)
        }
    };
    let codes = value.all(code)?;
    Some(codes.into_iter().map(|(_, code)| code).collect())
}

/// The octets of a value; faults are noted where they are.
fn encode(value: &Value<'_>, kind: Kind) -> Option<Box<[u8]>> {
    if value.is_table() && !matches!(kind, Kind::Suboptions | Kind::Vendors | Kind::Made(_)) {
        return typed(value);
    }
    if kind != Kind::Text && value.text().is_ok_and(|text| text.starts_with("hex:")) {
        return value.accept(raw(value, kind));
    }
    match kind {
        Kind::Made(why) => value.accept(Err(Reason::MadeOption(why))),
        Kind::Address => value.accept(addresses(value)),
        Kind::Addresses | Kind::AnyAddresses => each(value, addresses),
        Kind::Pairs => each(value, pair),
        Kind::Routes => each(value, route),
        Kind::U8 => value.accept(value.number(0..=u8::MAX)).map(|n| [n].into()),
        Kind::U16 => value
            .accept(value.number(0..=u16::MAX))
            .map(|n| n.to_be_bytes().into()),
        Kind::U16s => each(value, |v| Ok(v.number(0..=u16::MAX)?.to_be_bytes().into())),
        Kind::U32 => value
            .accept(value.number(0..=u32::MAX))
            .map(|n| n.to_be_bytes().into()),
        Kind::I32 => value
            .accept(value.number(i32::MIN..=i32::MAX))
            .map(|n| n.to_be_bytes().into()),
        Kind::Seconds => value
            .accept(super::knobs::seconds(value))
            .map(|n| n.to_be_bytes().into()),
        Kind::Bool => value
            .accept(value.flag())
            .map(|flag| [u8::from(flag)].into()),
        Kind::Text => value.accept(characters(value)),
        Kind::Domain => value.accept(domain(value)),
        Kind::Domains => each(value, domain),
        Kind::Suboptions => suboptions(value),
        Kind::Vendors => vendors(value),
        Kind::Octets => value.accept(octets(value)),
    }
}

/// `{ type = value }`.
fn typed(value: &Value<'_>) -> Option<Box<[u8]>> {
    const KINDS: [(&str, Kind); 10] = [
        ("ipv4", Kind::Addresses),
        ("u8", Kind::U8),
        ("u16", Kind::U16),
        ("u32", Kind::U32),
        ("i32", Kind::I32),
        ("seconds", Kind::Seconds),
        ("bool", Kind::Bool),
        ("text", Kind::Text),
        ("domains", Kind::Domains),
        ("octets", Kind::Octets),
    ];
    let mut table = value.accept(value.table())?;
    let given: Vec<_> = KINDS
        .iter()
        .filter_map(|(name, k)| Some((table.value(name)?, *k)))
        .collect();
    table.finish();
    if let [(value, kind)] = given.as_slice() {
        return encode(value, *kind);
    }
    let names = "ipv4, u8, u16, u32, i32, seconds, bool, text, domains, octets";
    value.accept(Err(Reason::ExactlyOne(names)))
}

fn each(
    value: &Value<'_>,
    read: impl Fn(&Value<'_>) -> Result<Box<[u8]>, Reason>,
) -> Option<Box<[u8]>> {
    let parts = value.one_or_many();
    let parts: Vec<_> = parts.iter().map(|part| part.accept(read(part))).collect();
    let parts: Option<Vec<_>> = parts.into_iter().collect();
    Some(parts?.concat().into())
}

fn octets(value: &Value<'_>) -> Result<Box<[u8]>, Reason> {
    let text = value.name()?;
    let octets = text::octets(text);
    if octets.is_none() && text.starts_with("hex:") {
        return Err(Reason::Malformed("octets such as hex:0102 or 01:02"));
    }
    octets.map_or_else(|| characters(value), Ok)
}

/// Octets for an option whose length must fit its type (C78 and its like).
fn raw(value: &Value<'_>, kind: Kind) -> Result<Box<[u8]>, Reason> {
    let octets = octets(value)?;
    let found = octets.len();
    let (fits, wanted) = match kind {
        Kind::U8 | Kind::Bool => (found == 1, "1"),
        Kind::U16 => (found == 2, "2"),
        Kind::Address | Kind::U32 | Kind::I32 | Kind::Seconds => (found == 4, "4"),
        Kind::Addresses => (found > 0 && found.is_multiple_of(4), "a multiple of 4"),
        Kind::AnyAddresses => (found.is_multiple_of(4), "a multiple of 4"),
        Kind::Pairs => (found > 0 && found.is_multiple_of(8), "a multiple of 8"),
        Kind::U16s => (found > 0 && found.is_multiple_of(2), "a multiple of 2"),
        Kind::Routes => (found >= 5, "5 or more"),
        Kind::Text
        | Kind::Domain
        | Kind::Domains
        | Kind::Suboptions
        | Kind::Vendors
        | Kind::Octets => (found > 0, "1 or more"),
        Kind::Made(why) => return Err(Reason::MadeOption(why)),
    };
    if fits {
        Ok(octets)
    } else {
        Err(Reason::Length { found, wanted })
    }
}

fn addresses(value: &Value<'_>) -> Result<Box<[u8]>, Reason> {
    Ok(text::address(value.text()?)?.octets().into())
}

/// "10.1.0.0 10.77.0.1": destination and router of option 33, address and mask of option 21.
fn pair(value: &Value<'_>) -> Result<Box<[u8]>, Reason> {
    let wrong = Reason::Malformed("two addresses such as \"10.1.0.0 10.77.0.1\"");
    let (first, second) = value.text()?.split_once(' ').ok_or_else(|| wrong.clone())?;
    let read = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| wrong.clone());
    Ok([read(first)?.octets(), read(second)?.octets()]
        .concat()
        .into())
}

/// "10.1.0.0/16 10.77.0.1": the octets of the destination that its width covers, RFC 3442.
fn route(value: &Value<'_>) -> Result<Box<[u8]>, Reason> {
    let wrong = Reason::Malformed("a route such as \"10.1.0.0/16 10.77.0.1\"");
    let (to, router) = value.text()?.split_once(' ').ok_or_else(|| wrong.clone())?;
    let to = text::prefix(to.trim())?;
    let router: Ipv4Addr = router.trim().parse().map_err(|_| wrong)?;
    let significant = usize::from(to.len()).div_ceil(8);
    let mut octets = vec![to.len()];
    octets.extend(to.first().octets().into_iter().take(significant));
    octets.extend(router.octets());
    Ok(octets.into())
}

/// A text without NUL (C85).
fn characters(value: &Value<'_>) -> Result<Box<[u8]>, Reason> {
    let text = value.name()?;
    if text.contains('\0') {
        return Err(Reason::Malformed("a text without NUL characters"));
    }
    Ok(text.as_bytes().into())
}

/// RFC 1035 §3.1, without compression, which RFC 3397 permits to leave out.
fn domain(value: &Value<'_>) -> Result<Box<[u8]>, Reason> {
    let name = value.name()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut octets = Vec::new();
    for label in name.split('.') {
        let len = u8::try_from(label.len())
            .ok()
            .filter(|len| (1..=63).contains(len));
        octets.push(len.ok_or(Reason::DomainName)?);
        octets.extend(label.bytes());
    }
    octets.push(0);
    if octets.len() > 255 {
        Err(Reason::DomainName)
    } else {
        Ok(octets.into())
    }
}

/// `{ 1 = "hex:01", 2 = { ipv4 = ["10.0.0.1"] } }`, or octets.
fn suboptions(value: &Value<'_>) -> Option<Box<[u8]>> {
    if !value.is_table() {
        return value.accept(octets(value));
    }
    let mut encoded = BTreeMap::new();
    for (key, part) in value.accept(value.table())?.free_entries() {
        let wrong = Reason::Malformed("the code of a sub-option, 1 to 254");
        let code = key
            .parse()
            .ok()
            .filter(|code| (1..=254u8).contains(code))
            .ok_or(wrong);
        let code = part.accept(code);
        let octets = encode(&part, Kind::Octets)?;
        let found = octets.len();
        let len = u8::try_from(found).map_err(|_| Reason::Length {
            found,
            wanted: "255 at most",
        });
        encoded.insert(code?, [&[part.accept(len)?], octets.as_ref()].concat());
    }
    let octets: Vec<u8> = encoded
        .into_iter()
        .flat_map(|(code, rest)| std::iter::once(code).chain(rest))
        .collect();
    value.accept(if octets.is_empty() {
        Err(Reason::Empty)
    } else {
        Ok(octets.into())
    })
}

/// `{ 4491 = { 1 = "hex:01" } }` by enterprise number, or octets.
fn vendors(value: &Value<'_>) -> Option<Box<[u8]>> {
    if !value.is_table() {
        return value.accept(octets(value));
    }
    let mut octets = Vec::new();
    for (key, part) in value.accept(value.table())?.free_entries() {
        let wrong = Reason::Malformed("an enterprise number such as 4491");
        let enterprise = part.accept(key.parse::<u32>().map_err(|_| wrong));
        let data = suboptions(&part)?;
        let found = data.len();
        let len = u8::try_from(found).map_err(|_| Reason::Length {
            found,
            wanted: "255 at most",
        });
        octets.extend(enterprise?.to_be_bytes());
        octets.push(part.accept(len)?);
        octets.extend(data);
    }
    value.accept(if octets.is_empty() {
        Err(Reason::Empty)
    } else {
        Ok(octets.into())
    })
}

#[cfg(test)]
mod tests;
