//! Settings files: TOML, or Kafka's own `server.properties` as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use java_properties::PropertiesIter;

use super::ConfigError;

/// A file's settings by dotted name, and whether others' names may be among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SettingsFile {
    pub(super) values: BTreeMap<String, String>,
    /// Whether it is a `.properties` file, written for Kafka and its plugins, too.
    pub(super) is_kafkas: bool,
}

/// Reads a file: Java properties if its name ends in `.properties`, TOML otherwise.
pub(super) fn read(path: &Path) -> Result<SettingsFile, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    let malformed = |reason| ConfigError::Malformed { path: path.to_owned(), reason };
    if path.extension().is_some_and(|extension| extension == "properties") {
        return Ok(SettingsFile { values: parse_properties(&text).map_err(malformed)?, is_kafkas: true });
    }
    Ok(SettingsFile { values: parse_toml(&text).map_err(malformed)?, is_kafkas: false })
}

/// Java's properties: `#` and `!` begin comments, a backslash escapes or continues a line, the last of two equal names counts.
pub(crate) fn parse_properties(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut lines = PropertiesIter::new_with_encoding(text.as_bytes(), encoding_rs::UTF_8);
    lines.read_into(|name, value| drop(values.insert(name, value.trim().to_owned()))).map_err(|error| error.to_string())?;
    Ok(values)
}

/// TOML: the names of nested tables are joined by dots, so that `[log]` with `dirs` and `"log.dirs"` say the same. A name given in both ways
/// is refused. A list's items are joined by commas.
fn parse_toml(text: &str) -> Result<BTreeMap<String, String>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut values = BTreeMap::new();
    flatten("", &table, &mut values)?;
    Ok(values)
}

fn flatten(prefix: &str, table: &toml::Table, values: &mut BTreeMap<String, String>) -> Result<(), String> {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        if let toml::Value::Table(inner) = value {
            flatten(&format!("{name}."), inner, values)?;
        } else if values.insert(name.clone(), scalar(&name, value)?).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(())
}

fn scalar(name: &str, value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.trim().to_owned()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(value) => Ok(value.to_string()),
        toml::Value::Array(items) => {
            let items: Result<Vec<String>, String> = items.iter().map(|item| scalar(name, item)).collect();
            Ok(items?.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => Err(format!("{name} is neither text, a number, true or false, nor a list of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn properties_are_read_as_java_writes_them() {
        let text = "#Mon Nov 23 21:07:41 UTC 2026\n\
            ! another comment\n\
            listeners=EXTERNAL\\://localhost\\:9092,\\\n    CONTROLLER\\://localhost\\:9093\n\
            broker.rack : r\\u00e4ck \n\
            log.dirs=/tmp/a\\ b\\=c\n\
            empty=\n\
            num.partitions 3\n\
            num.partitions=4\n";
        let expected = [
            ("listeners", "EXTERNAL://localhost:9092,CONTROLLER://localhost:9093"),
            ("broker.rack", "räck"),
            ("log.dirs", "/tmp/a b=c"),
            ("empty", ""),
            ("num.partitions", "4"),
        ];
        assert_eq!(parse_properties(text).unwrap(), map(&expected));
    }

    #[test]
    fn properties_may_hold_utf_8() {
        assert_eq!(parse_properties("broker.rack=räck").unwrap(), map(&[("broker.rack", "räck")]));
    }

    #[test]
    fn nested_tables_and_dotted_names_say_the_same() {
        let nested = "[log]\ndirs = 'data'\nretention.ms = 5\n[log.segment]\nbytes = 1048576\n[socket]\nsend.copy = true\n";
        let dotted = "\"log.dirs\" = 'data'\n\"log.retention.ms\" = 5\n\"log.segment.bytes\" = 1048576\n\"socket.send.copy\" = true\n";
        assert_eq!(parse_toml(nested).unwrap(), parse_toml(dotted).unwrap());
        assert_eq!(parse_toml(nested).unwrap()["log.segment.bytes"], "1048576");
    }

    #[test]
    fn a_name_that_begins_another_can_be_given_beside_it() {
        let text = "log.dir = 'a'\n\"log.dir.failure.timeout.ms\" = 1\n";
        assert_eq!(parse_toml(text).unwrap(), map(&[("log.dir", "a"), ("log.dir.failure.timeout.ms", "1")]));
    }

    #[test]
    fn lists_are_joined_by_commas() {
        let text = "\"process.roles\" = ['broker', 'controller']";
        assert_eq!(parse_toml(text).unwrap()["process.roles"], "broker,controller");
    }

    #[test]
    fn what_toml_has_and_settings_have_not_is_refused() {
        assert!(parse_toml("a = 1979-05-27").unwrap_err().contains("neither text"));
        assert!(parse_toml("a.b = 1\n\"a.b\" = 2").unwrap_err().contains("twice"));
        assert!(parse_toml("a = ").is_err());
    }
}
