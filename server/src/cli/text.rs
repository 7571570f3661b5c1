//! Bytes, headers, times, ids and nodes as people write them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kafka_wire_core::Uuid;
use serde::{Deserialize, Serialize};

/// Bytes in JSON: a string where they are UTF-8, `{"base64": …}` where not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum JsonBytes {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Binary {
        /// As RFC 4648 has it, padded.
        base64: String,
    },
}

impl JsonBytes {
    /// As they are written.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Binary { base64: STANDARD.encode(bytes) },
        }
    }

    /// As they were meant.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Binary { base64 } => STANDARD.decode(&base64).map_err(|error| format!("{base64:?} is no base 64: {error}")),
        }
    }
}

/// What stands between key and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Separator(pub(crate) Vec<u8>);

/// Reads `\t`, `\n`, `\r`, `\0`, `\\` and `\xNN`.
pub(crate) fn parse_separator(text: &str) -> Result<Separator, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(symbol) = rest.next() {
        if symbol != '\\' {
            bytes.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('t') => b'\t',
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16)
                    .ok()
                    .filter(|_| digits.len() == 2)
                    .ok_or_else(|| format!("\\x{digits} is no byte: \\x wants two hexadecimal digits"))?
            }
            other => return Err(format!("\\{} means nothing here", other.map(String::from).unwrap_or_default())),
        });
    }
    if bytes.is_empty() { Err("it must not be empty".to_owned()) } else { Ok(Separator(bytes)) }
}

/// A header: `KEY=VALUE`.
pub(crate) fn parse_header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("a header is KEY=VALUE".to_owned()),
    }
}

/// Milliseconds since 1970, in figures or as RFC 3339 has it.
pub(crate) fn parse_timestamp(text: &str) -> Result<i64, String> {
    if let Ok(ms) = text.parse::<i64>() {
        return if ms >= 0 { Ok(ms) } else { Err("times before 1970 are not supported".to_owned()) };
    }
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| "a time is 1700000000000 or 2026-01-31T12:00:00Z".to_owned())?;
    let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| "times before 1970 are not supported".to_owned())?;
    i64::try_from(since.as_millis()).map_err(|_| "this time is too far ahead".to_owned())
}

/// Milliseconds since 1970 as RFC 3339 has them; as a number where they are no time.
pub(crate) fn show_timestamp(ms: i64) -> String {
    let time = u64::try_from(ms).ok().and_then(|ms| std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_millis(ms)));
    // From the year 10000 on RFC 3339 has no words.
    match time.filter(|_| ms < 253_402_300_800_000) {
        Some(time) => humantime::format_rfc3339_millis(time).to_string(),
        None => ms.to_string(),
    }
}

/// An id as Kafka shows it: 22 characters of URL-safe base 64.
pub(crate) fn show_id(id: Uuid) -> String {
    gracchus_core::ids::Uuid(id.to_bytes()).to_string()
}

/// Nodes with commas between them.
pub(crate) fn show_nodes(nodes: &[i32]) -> String {
    nodes.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        assert_eq!(parse_separator(r"\t").unwrap().0, b"\t");
        assert_eq!(parse_separator(r"a\x00\\é").unwrap().0, "a\0\\é".as_bytes());
        assert!(parse_separator(r"\x1").is_err());
        assert!(parse_separator(r"\q").is_err());
        assert!(parse_separator("").is_err());
    }

    #[test]
    fn any_bytes_survive_json() {
        for bytes in [&b"text"[..], b"", b"\xff\x00", "é".as_bytes()] {
            let json = serde_json::to_string(&JsonBytes::from_bytes(bytes)).unwrap();
            let back: JsonBytes = serde_json::from_str(&json).unwrap();
            assert_eq!(back.into_bytes().unwrap(), bytes, "{json}");
        }
    }

    #[test]
    fn times_are_read_and_shown() {
        assert_eq!(parse_timestamp("1700000000000"), Ok(1_700_000_000_000));
        assert_eq!(parse_timestamp("2023-11-14T22:13:20Z"), Ok(1_700_000_000_000));
        assert_eq!(show_timestamp(1_700_000_000_000), "2023-11-14T22:13:20.000Z");
        assert_eq!(show_timestamp(-1), "-1");
        assert_eq!(show_timestamp(i64::MAX), i64::MAX.to_string());
        assert!(parse_timestamp("yesterday").is_err());
    }
}
