//! Settings from several places, laid over each other: defaults, a file, the environment, flags, weakest first.
//!
//! Each layer is first put into Kafka's own names, so that a stronger layer's short form replaces a weaker layer's long one:
//!
//! | ours | stands for |
//! | --- | --- |
//! | `listen` = HOST:PORT | `listeners` = PLAINTEXT://HOST:PORT, and nothing of a weaker layer's names for listeners |
//! | `advertise` = HOST:PORT | `advertised.listeners` = NAME://HOST:PORT of the one listener for clients |
//! | `data.dir` | `log.dirs` |
//!
//! So it is with Kafka's older names: `log.dir` stands for `log.dirs` and `broker.id` for `node.id`, where their layer has not both.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

/// The prefix of environment variables that are settings.
const ENVIRONMENT_PREFIX: &str = "GRACCHUS_";

/// Settings that one place gives.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    origin: String,
    values: BTreeMap<String, String>,
}

impl Layer {
    pub(super) fn new(origin: impl Into<String>, values: BTreeMap<String, String>) -> Self {
        Self { origin: origin.into(), values: canonical(values) }
    }

    /// The variables that begin with `GRACCHUS_`: `GRACCHUS_LOG_RETENTION_MS` is `log.retention.ms`.
    pub(super) fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let settings = variables.into_iter().filter_map(|(variable, value)| {
            let name = variable.strip_prefix(ENVIRONMENT_PREFIX).filter(|name| !is_service_link(name))?;
            Some((name.to_ascii_lowercase().replace('_', "."), value.trim().to_owned()))
        });
        Self::new("the environment", settings.collect())
    }
}

/// Variables that Kubernetes makes in every container beside a service called `gracchus`.
fn is_service_link(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

fn canonical(mut values: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if let Some(listen) = values.remove("listen") {
        for of_weaker in ["advertised.listeners", "listener.security.protocol.map", "inter.broker.listener.name", "advertise"] {
            values.entry(of_weaker.to_owned()).or_default();
        }
        values.insert("listeners".to_owned(), format!("PLAINTEXT://{listen}"));
    }
    if values.get("advertise").is_some_and(|advertise| !advertise.is_empty()) {
        values.entry("advertised.listeners".to_owned()).or_default();
    } else if values.contains_key("advertised.listeners") {
        values.insert("advertise".to_owned(), String::new());
    }
    for (short, name) in [("data.dir", "log.dirs"), ("log.dir", "log.dirs"), ("broker.id", "node.id")] {
        if !values.contains_key(name)
            && let Some(value) = values.remove(short)
        {
            values.insert(name.to_owned(), value);
        }
    }
    values
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict: Dict = self.values.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        Ok(Profile::Default.collect(dict))
    }
}

/// A setting that somebody gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) value: String,
    /// Who gave it.
    pub(super) origin: String,
}

/// Lays each layer over those before it. A setting given as nothing unsets what weaker layers say of listeners.
pub(super) fn merge(layers: impl IntoIterator<Item = Layer>) -> BTreeMap<String, Given> {
    let merged = layers.into_iter().fold(Figment::new(), |merged, layer| merged.merge(layer));
    let mut profiles = merged.data().expect("layers are plain text");
    let values = profiles.remove(&Profile::Default).unwrap_or_default();
    let given = values.into_iter().map(|(name, value)| {
        let origin = merged.get_metadata(value.tag()).map_or_else(|| "default".to_owned(), |from| from.name.to_string());
        (name, Given { value: value.into_string().expect("layers are plain text"), origin })
    });
    given.filter(|(name, given)| !(given.value.is_empty() && UNSET_BY_NOTHING.contains(&name.as_str()))).collect()
}

const UNSET_BY_NOTHING: &[&str] = &[
    "advertise",
    "advertised.listeners",
    "broker.rack",
    "http.listen",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "metadata.log.dir",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(origin: &str, entries: &[(&str, &str)]) -> Layer {
        Layer::new(origin, entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn value<'a>(given: &'a BTreeMap<String, Given>, name: &str) -> Option<(&'a str, &'a str)> {
        given.get(name).map(|given| (given.value.as_str(), given.origin.as_str()))
    }

    #[test]
    fn flags_come_before_the_environment_before_the_file() {
        let file = layer("a.toml", &[("num.partitions", "1"), ("log.retention.ms", "1"), ("log.segment.bytes", "1")]);
        let environment = layer("the environment", &[("num.partitions", "2"), ("log.retention.ms", "2")]);
        let given = merge([file, environment, layer("flags", &[("num.partitions", "3")])]);
        assert_eq!(value(&given, "num.partitions"), Some(("3", "flags")));
        assert_eq!(value(&given, "log.retention.ms"), Some(("2", "the environment")));
        assert_eq!(value(&given, "log.segment.bytes"), Some(("1", "a.toml")));
    }

    #[test]
    fn a_short_form_replaces_a_weaker_long_one() {
        let file = layer("file", &[("listeners", "EXTERNAL://:1"), ("advertised.listeners", "EXTERNAL://h:1"), ("log.dirs", "a")]);
        let given = merge([file.clone(), layer("flags", &[("listen", "127.0.0.1:2"), ("data.dir", "b")])]);
        assert_eq!(value(&given, "listeners"), Some(("PLAINTEXT://127.0.0.1:2", "flags")));
        assert_eq!(value(&given, "advertised.listeners"), None);
        assert_eq!(value(&given, "log.dirs"), Some(("b", "flags")));
        let given = merge([file, layer("flags", &[("advertise", "x:3")])]);
        assert_eq!(value(&given, "advertise"), Some(("x:3", "flags")));
        assert_eq!(value(&given, "advertised.listeners"), None);
    }

    #[test]
    fn a_long_form_replaces_a_weaker_short_one() {
        let file = layer("file", &[("listen", "127.0.0.1:1"), ("advertise", "x:3")]);
        let given = merge([file, layer("flags", &[("advertised.listeners", "PLAINTEXT://y:4")])]);
        assert_eq!(value(&given, "advertise"), None);
        assert_eq!(value(&given, "advertised.listeners"), Some(("PLAINTEXT://y:4", "flags")));
    }

    #[test]
    fn variables_name_settings_in_capitals() {
        let variables = [("GRACCHUS_LOG_RETENTION_MS", "5"), ("HOME", "/root"), ("GRACCHUS", "x"), ("GRACCHUS_SERVICE_HOST", "10.0.0.1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = merge([Layer::from_environment(variables)]);
        assert_eq!(given.len(), 1);
        assert_eq!(value(&given, "log.retention.ms"), Some(("5", "the environment")));
    }
}
