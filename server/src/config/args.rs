//! The flags of `gracchus serve` that are settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::ConfigError;
use crate::recording::RECORD_BYTES_MIN;

/// How large a recording may become, if nobody says otherwise.
const RECORD_BYTES: u64 = 256 << 20;

/// Run a broker until it is told to stop.
///
/// Bare gracchus listens on 127.0.0.1:9092, keeps its data in ./gracchus-data, and shows its metrics on 127.0.0.1:9644.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_help = "\
Any setting can come from any place, by Kafka's dotted name where Kafka has it:
  flags        --set log.retention.ms=3600000
  environment  GRACCHUS_LOG_RETENTION_MS=3600000
  file         \"log.retention.ms\" = 3600000 in TOML, or retention.ms = 3600000 under [log];
               log.retention.ms=3600000 in a file that ends in .properties
A flag comes before the environment, that before the file, and that before the default.")]
pub struct ServeArgs {
    /// A settings file: TOML, or Kafka's own server.properties if its name ends in .properties.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where clients connect; port 0 is any free one. [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// What clients are told to connect to, if not what --listen says: an address that they can reach.
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// Where data is kept. A folder that is empty or not there yet is formatted. [default: ./gracchus-data]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Where /metrics, /healthz and /readyz are served; nowhere if not said.
    #[arg(long, value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Any other setting, such as num.partitions=3. Can be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,
    /// Records what the broker's core is told, without users' payloads, in a file that outlives the process: `gracchus-sim replay FILE` replays it.
    /// A file that is there is kept as FILE.previous.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// How large the recording's file may become: then the oldest half goes.
    #[arg(long, value_name = "BYTES", default_value_t = RECORD_BYTES, value_parser = clap::value_parser!(u64).range(RECORD_BYTES_MIN..))]
    pub record_bytes: u64,
    /// Stop when the process that started this one ends, however that ends.
    #[arg(long, hide = true)]
    pub stop_with_parent: bool,
}

/// Settings that come before those of the environment and the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(pub(super) BTreeMap<String, String>);

impl ServeArgs {
    /// What `gracchus` without any arguments means: a broker on this machine's own address, with its metrics beside it.
    #[must_use]
    pub fn bare() -> Self {
        Self { http: Some("127.0.0.1:9644".to_owned()), ..Self::default() }
    }

    /// The settings that the flags give.
    ///
    /// # Errors
    ///
    /// When `--set` is not given NAME=VALUE.
    pub fn overrides(&self) -> Result<Overrides, ConfigError> {
        let mut values = assignments(&self.settings)?;
        let data_dir = self.data_dir.as_ref().map(|folder| folder.display().to_string());
        for (name, value) in [("listen", &self.listen), ("advertise", &self.advertise), ("data.dir", &data_dir), ("http.listen", &self.http)] {
            if let Some(value) = value {
                values.insert(name.to_owned(), value.clone());
            }
        }
        Ok(Overrides(values))
    }
}

fn assignments(settings: &[String]) -> Result<BTreeMap<String, String>, ConfigError> {
    let parse = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        Some(_) | None => Err(ConfigError::NotAnAssignment(text.clone())),
    };
    settings.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_a_setting() {
        let args = ServeArgs { settings: vec!["num.partitions = 3".into(), "broker.rack=a=b".into()], ..ServeArgs::bare() };
        let expected = [("broker.rack", "a=b"), ("http.listen", "127.0.0.1:9644"), ("num.partitions", "3")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(args.overrides().unwrap().0, BTreeMap::from(expected));
    }

    #[test]
    fn a_set_without_a_value_is_refused() {
        for text in ["num.partitions", "=3"] {
            let args = ServeArgs { settings: vec![text.into()], ..ServeArgs::default() };
            assert_eq!(args.overrides().unwrap_err().to_string(), format!("--set takes NAME=VALUE, not {text}"));
        }
    }
}
