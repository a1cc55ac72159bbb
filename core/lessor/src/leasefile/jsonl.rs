//! A line of JSON to a row.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::column::Column;
use super::fault::What;
use super::parse::{Cells, Wrong, malformed};
use super::reader::{Part, end};

/// The members of an object, in their order and with those that are there twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::with_capacity(Column::ALL.len());
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// What a line says.
pub(super) fn decode(line: &[u8]) -> Result<Part, Vec<Wrong>> {
    let text = str::from_utf8(line).map_err(|_| vec![(None, What::NotText)])?;
    let members: Members = serde_json::from_str(text)
        .map_err(|error| vec![(None, What::NotJson(column_of(&error)))])?;
    let is_end = |(name, _): &(String, Value)| name == "end";
    if members.0.iter().any(is_end) {
        let number = |wanted: &str| {
            let mut found = members.0.iter().filter(|(name, _)| name == wanted);
            found.next().and_then(|(_, value)| value.as_u64())
        };
        return end(number("rows"), number("version"));
    }
    let (mut cells, mut wrong) = (Cells::new(), Vec::new());
    for (name, value) in members.0 {
        let put = match Column::of_name(&name) {
            None => Err((None, What::Unknown(name.chars().take(40).collect()))),
            Some(column) => text_of(column, value).and_then(|text| cells.put(column, text)),
        };
        wrong.extend(put.err());
    }
    let row = cells.row();
    match row {
        Ok(row) if wrong.is_empty() => Ok(Part::Row(Box::new(row))),
        Ok(_) => Err(wrong),
        // A value of a wrong type is told once: its column then looks missing.
        Err(others) => {
            let new = |(column, _): &Wrong| wrong.iter().all(|(c, _)| c.is_none() || c != column);
            let others: Vec<_> = others.into_iter().filter(new).collect();
            Err([wrong, others].concat())
        }
    }
}

/// Without the line, which is always the first of one.
fn column_of(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column", " at column")
}

fn text_of(column: Column, value: Value) -> Result<Cow<'static, str>, Wrong> {
    let due = if column.is_number() {
        "a number or null"
    } else {
        "a string or null"
    };
    match (value, column.is_number()) {
        (Value::Null, _) => Ok("".into()),
        (Value::Number(number), true) => Ok(number.to_string().into()),
        (Value::String(text), false) => Ok(text.into()),
        (other, _) => Err((Some(column), malformed(&other.to_string(), due))),
    }
}
