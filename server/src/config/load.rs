//! From layers of text to checked settings.
//!
//! A wrong value is refused with what is allowed; a setting that would protect is refused until it is kept; one of Kafka's that does nothing
//! here yet is taken with a warning. A name that nobody knows is refused where it can only be meant for this program (TOML, environment,
//! flags), and taken with a warning from a `.properties` file, which may hold the names of Kafka's plugins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gracchus_core::config::definitions::{Definition, Effect, broker_definition, broker_definitions, topic_definition, without_listener};
use gracchus_core::config::{BrokerConfigs, validate_broker};
use gracchus_core::ids::NodeId;

use super::layers::{Given, Layer, merge};
use super::listeners::{ListenerTexts, Refusal};
use super::quorum::QuorumTexts;
use super::{ConfigError, ConnectionLimits, ListenerSettings, OperatorSettings, Overrides, Roles, Warning, file};
use crate::store::StoreSettings;

const DEFAULTS: [(&str, &str); 4] =
    [("listen", "127.0.0.1:9092"), ("log.dirs", "./gracchus-data"), ("node.id", "1"), ("process.roles", "broker,controller")];

/// A node that has no settings file, and is told of no others, is alone: groups are kept on it, and nowhere else.
const GROUP_REPLICAS: &str = "offsets.topic.replication.factor";
const QUORUM_SETTINGS: [&str; 2] = ["controller.quorum.voters", "controller.quorum.bootstrap.servers"];

/// Reads what the operator says: flags before the environment before the file before the defaults.
///
/// # Errors
///
/// When something is refused.
pub fn load(
    config: Option<&Path>,
    flags: &Overrides,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(OperatorSettings, Vec<Warning>), ConfigError> {
    let defaults = DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut layers = vec![Layer::new("default", BTreeMap::from(defaults))];
    let mut kafkas_file = None;
    if let Some(path) = config {
        let read = file::read(path)?;
        let origin = path.display().to_string();
        kafkas_file = read.is_kafkas.then(|| origin.clone());
        layers.push(Layer::new(origin, read.values));
    }
    layers.push(Layer::from_environment(environment));
    layers.push(Layer::new("flags", flags.0.clone()));
    let mut given = merge(layers);
    if config.is_none() && QUORUM_SETTINGS.iter().all(|name| !given.contains_key(*name)) {
        let alone = Given { value: "1".to_owned(), origin: "default".to_owned() };
        given.entry(GROUP_REPLICAS.to_owned()).or_insert(alone);
    }
    let advertise = given.remove("advertise");
    let warnings = examine(&mut given, kafkas_file.as_deref())?;
    let settings = Checked { given, advertise }.into_settings()?;
    Ok((settings, warnings))
}

/// Looks at each setting alone. Those that nobody knows are dropped.
fn examine(given: &mut BTreeMap<String, Given>, kafkas_file: Option<&str>) -> Result<Vec<Warning>, ConfigError> {
    let mut warnings = Vec::new();
    let mut without_effect = Vec::new();
    let mut unknown = Vec::new();
    for (name, Given { value, origin }) in &*given {
        if let Some(definition) = broker_definition(name) {
            check_value(name, value, origin, definition)?;
            let is_for_one_listener = without_listener(name).is_some();
            if definition.effect == Effect::Inert || definition.is_only_dynamic || is_for_one_listener {
                without_effect.push(name.clone());
            }
        } else if would_protect(name) {
            return Err(ConfigError::Protects { name: name.clone(), origin: origin.clone() });
        } else if kafkas_file == Some(origin) {
            unknown.push(name.clone());
            warnings.push(Warning::Unknown { name: name.clone(), origin: origin.clone(), suggestion: similar(name) });
        } else {
            return Err(ConfigError::Unknown { name: name.clone(), origin: origin.clone(), suggestion: similar(name) });
        }
    }
    given.retain(|name, _| !unknown.contains(name));
    if !without_effect.is_empty() {
        warnings.push(Warning::WithoutEffect(without_effect));
    }
    Ok(warnings)
}

fn check_value(name: &str, value: &str, origin: &str, definition: &Definition) -> Result<(), ConfigError> {
    if definition.effect == Effect::Protects {
        let is_default = definition.parse(value).is_ok_and(|value| value.to_string() == definition.default.unwrap_or_default());
        let protects = || ConfigError::Protects { name: name.to_owned(), origin: origin.to_owned() };
        return if is_default { Ok(()) } else { Err(protects()) };
    }
    let reason = match definition.parse(value) {
        Err(bad) if bad.value == value => bad.reason,
        Err(bad) => format!("{}: {}", bad.value, bad.reason),
        Ok(_) => match validate_broker(name, value) {
            Err(reason) => reason,
            Ok(()) => return Ok(()),
        },
    };
    Err(ConfigError::Invalid {
        name: name.to_owned(),
        value: value.to_owned(),
        origin: origin.to_owned(),
        reason,
        allowed: definition.allowed(),
    })
}

/// Names that no table lists and that ask for protection all the same: an authorizer's own.
fn would_protect(name: &str) -> bool {
    let name = without_listener(name).unwrap_or(name);
    name.starts_with("ssl.") || name.starts_with("sasl.") || name == "super.users" || name == "allow.everyone.if.no.acl.found"
}

/// A setting that the name may have been meant for.
fn similar(name: &str) -> Option<&'static str> {
    if let Some(synonym) = topic_definition(name).and_then(|of_topics| of_topics.synonyms.first()) {
        return Some(synonym.name);
    }
    let distance = |known: &Definition| (strsim::damerau_levenshtein(name, known.name), known.name);
    broker_definitions().map(distance).min().filter(|(distance, _)| *distance <= 3).map(|(_, known)| known)
}

/// Settings each of which is fine alone.
struct Checked {
    given: BTreeMap<String, Given>,
    advertise: Option<Given>,
}

impl Checked {
    fn into_settings(self) -> Result<OperatorSettings, ConfigError> {
        let node = self.node()?;
        let (roles, voters) = self.quorum_texts().resolve(node).map_err(|refusal| self.refused(refusal))?;
        let listeners = self.listeners(roles)?;
        let mut bootstrap_servers = self.quorum_texts().bootstrap_servers().map_err(|refusal| self.refused(refusal))?;
        bootstrap_servers.retain(|server| !listeners.iter().any(|listener| listener.is_controller && listener.is_at(server)));
        let data_dir = self.data_dir()?;
        let configs = self.configs(node, &listeners);
        let values = BrokerConfigs::new(configs.clone());
        Ok(OperatorSettings {
            node,
            rack: values.text("broker.rack"),
            roles,
            voters,
            bootstrap_servers,
            controller_listener: self.first_controller_listener(),
            inter_broker_listener: self.text("inter.broker.listener.name").map(|name| name.trim().to_ascii_uppercase()),
            log_directory: data_dir.display().to_string(),
            data_dir,
            listeners,
            limits: connection_limits(&values),
            store: store_settings(&values),
            send_by_copy: values.boolean("socket.send.copy"),
            http: values.text("http.listen"),
            configs,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(|given| given.value.as_str())
    }

    fn node(&self) -> Result<NodeId, ConfigError> {
        let number = |name| self.text(name).and_then(|text| text.trim().parse::<i32>().ok());
        let node = number("node.id").expect("it has a default and was checked");
        match number("broker.id") {
            Some(broker) if broker != node => Err(self.refusal("broker.id", format!("node.id is {node}"), "the same as node.id")),
            Some(_) | None => Ok(NodeId(node)),
        }
    }

    fn quorum_texts(&self) -> QuorumTexts<'_> {
        QuorumTexts {
            roles: self.text("process.roles").unwrap_or_default(),
            voters: self.text("controller.quorum.voters").unwrap_or_default(),
            bootstrap_servers: self.text("controller.quorum.bootstrap.servers").unwrap_or_default(),
        }
    }

    fn first_controller_listener(&self) -> Option<String> {
        let names = self.text("controller.listener.names")?;
        names.split(',').map(|name| name.trim().to_ascii_uppercase()).find(|name| !name.is_empty())
    }

    fn listeners(&self, roles: Roles) -> Result<Vec<ListenerSettings>, ConfigError> {
        let texts = ListenerTexts {
            roles,
            listeners: self.text("listeners").unwrap_or_default(),
            advertised: self.text("advertised.listeners"),
            advertise: self.advertise.as_ref().map(|given| given.value.as_str()),
            protocols: self.text("listener.security.protocol.map"),
            controller_names: self.text("controller.listener.names"),
            inter_broker_name: self.text("inter.broker.listener.name"),
        };
        let mut listeners = texts.resolve().map_err(|refusal| self.refused(refusal))?;
        for listener in &mut listeners {
            listener.advertise_by_name(&host_name());
        }
        Ok(listeners)
    }

    fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        let folders: Vec<&str> =
            self.text("log.dirs").unwrap_or_default().split(',').map(str::trim).filter(|folder| !folder.is_empty()).collect();
        let [folder] = folders.as_slice() else {
            let reason = format!("{} folders, and several are not kept yet", folders.len());
            return Err(self.refusal("log.dirs", reason, "one folder"));
        };
        match self.text("metadata.log.dir") {
            Some(metadata) if metadata != *folder => {
                let reason = "a folder of its own for the metadata is not kept yet".to_owned();
                Err(self.refusal("metadata.log.dir", reason, "the same folder as log.dirs"))
            }
            Some(_) | None => Ok(PathBuf::from(folder)),
        }
    }

    /// What the core is told: all that was given, and what follows from it by other names.
    fn configs(&self, node: NodeId, listeners: &[ListenerSettings]) -> BTreeMap<String, String> {
        let mut configs: BTreeMap<String, String> = self.given.iter().map(|(name, given)| (name.clone(), given.value.clone())).collect();
        configs.insert("broker.id".to_owned(), node.to_string());
        let advertised = listeners.iter().filter_map(|listener| {
            let (host, port) = listener.advertised.as_ref()?;
            Some(format!("{}://{host}:{port}", listener.name))
        });
        let advertised: Vec<String> = advertised.collect();
        if !advertised.is_empty() && self.advertise.is_some() {
            configs.insert("advertised.listeners".to_owned(), advertised.join(","));
        }
        configs
    }

    fn refused(&self, refusal: Refusal) -> ConfigError {
        self.refusal(refusal.name, refusal.reason, refusal.allowed)
    }

    fn refusal(&self, name: &str, reason: String, allowed: &str) -> ConfigError {
        let given = if name == "advertise" { self.advertise.as_ref() } else { self.given.get(name) };
        let (value, origin) = given.map_or((String::new(), "default".to_owned()), |given| (given.value.clone(), given.origin.clone()));
        ConfigError::Invalid { name: name.to_owned(), value, origin, reason, allowed: allowed.to_owned() }
    }
}

/// What this machine calls itself.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn connection_limits(values: &BrokerConfigs) -> ConnectionLimits {
    ConnectionLimits {
        connections_max: u32::MAX,
        request_bytes_max: unsigned(values, "socket.request.max.bytes"),
        in_flight_requests_max: unsigned(values, "socket.in.flight.requests.max"),
        // As in Kafka, a negative number is no bound.
        queued_bytes_max: u64::try_from(values.whole("queued.max.request.bytes")).unwrap_or(u64::MAX),
        idle_ms_max: values.whole("connections.max.idle.ms"),
    }
}

fn store_settings(values: &BrokerConfigs) -> StoreSettings {
    StoreSettings {
        writers: unsigned(values, "store.writers"),
        unsynced_bytes_max: unsigned(values, "store.unsynced.bytes.max").into(),
        open_files_max: unsigned(values, "store.open.files.max"),
        ..StoreSettings::default()
    }
}

fn unsigned(values: &BrokerConfigs, name: &str) -> u32 {
    u32::try_from(values.whole(name)).expect("the setting's bounds are those of 31 bits")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::{HostPort, ServeArgs, Voters};

    /// A file as the harness of Kafka's own tests writes it, by `java.util.Properties.store`.
    const KAFKAS_TESTS: &str = "\
        #Mon Nov 23 21:07:41 UTC 2026\n\
        advertised.listeners=EXTERNAL\\://localhost\\:29392\n\
        auto.create.topics.enable=false\n\
        controller.listener.names=CONTROLLER\n\
        controller.quorum.voters=0@localhost\\:29393\n\
        group.initial.rebalance.delay.ms=0\n\
        inter.broker.listener.name=EXTERNAL\n\
        listener.security.protocol.map=EXTERNAL\\:PLAINTEXT,CONTROLLER\\:PLAINTEXT\n\
        listeners=EXTERNAL\\://localhost\\:29392,CONTROLLER\\://localhost\\:29393\n\
        log.dirs=/tmp/conformance/node0/data\n\
        node.id=0\n\
        offsets.topic.num.partitions=5\n\
        offsets.topic.replication.factor=1\n\
        process.roles=broker,controller\n";

    fn load_text(name: &str, text: &str) -> Result<(OperatorSettings, Vec<Warning>), ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        load(Some(&path), &Overrides::default(), BTreeMap::new())
    }

    fn load_settings(settings: &[&str]) -> Result<(OperatorSettings, Vec<Warning>), ConfigError> {
        let args = ServeArgs { settings: settings.iter().map(|&text| text.to_owned()).collect(), ..ServeArgs::default() };
        load(None, &args.overrides()?, BTreeMap::new())
    }

    fn refusal(settings: &[&str]) -> String {
        load_settings(settings).unwrap_err().to_string()
    }

    #[test]
    fn the_file_of_kafkas_own_tests_is_understood() {
        let (settings, warnings) = load_text("server.properties", KAFKAS_TESTS).unwrap();
        assert_eq!(settings.node, NodeId(0));
        assert_eq!(settings.voters, Voters::Static([(NodeId(0), HostPort { host: "localhost".into(), port: 29393 })].into()));
        assert_eq!(settings.inter_broker_listener.as_deref(), Some("EXTERNAL"));
        assert_eq!(settings.data_dir, Path::new("/tmp/conformance/node0/data"));
        let listeners: Vec<_> = settings.listeners.iter().map(|one| (one.name.as_str(), one.bind.as_str(), one.is_controller)).collect();
        assert_eq!(listeners, [("EXTERNAL", "localhost:29392", false), ("CONTROLLER", "localhost:29393", true)]);
        assert_eq!(settings.listeners[0].advertised, Some(("localhost".to_owned(), 29392)));
        assert_eq!(settings.http, None);
        assert_eq!(settings.configs["auto.create.topics.enable"], "false");
        assert_eq!(settings.configs["offsets.topic.replication.factor"], "1");
        assert_eq!(warnings, []);
    }

    #[test]
    fn without_settings_a_node_is_alone_on_this_machine() {
        let (settings, warnings) = load(None, &Overrides::default(), BTreeMap::new()).unwrap();
        assert_eq!(settings.listeners.len(), 1);
        assert_eq!((settings.listeners[0].name.as_str(), settings.listeners[0].bind.as_str()), ("PLAINTEXT", "127.0.0.1:9092"));
        assert_eq!((settings.node, settings.voters, settings.http), (NodeId(1), Voters::Formatted, None));
        assert_eq!(settings.data_dir, Path::new("./gracchus-data"));
        assert_eq!(settings.limits.queued_bytes_max, 32 << 20);
        assert_eq!(warnings, []);
    }

    #[test]
    fn a_bare_node_shows_its_metrics() {
        let (settings, _) = load(None, &ServeArgs::bare().overrides().unwrap(), BTreeMap::new()).unwrap();
        assert_eq!(settings.http.as_deref(), Some("127.0.0.1:9644"));
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_is_allowed() {
        let expected = "num.partitions = many (flags): Not a number of type INT; allowed: a whole number of at least 1";
        assert_eq!(refusal(&["num.partitions=many"]), expected);
        let expected = "log.cleanup.policy = delete,foo (flags): foo: String must be one of: compact, delete; \
            allowed: any of compact, delete, with commas between them";
        assert_eq!(refusal(&["log.cleanup.policy=delete,foo"]), expected);
    }

    #[test]
    fn what_would_protect_is_refused() {
        for setting in [
            "ssl.keystore.location=/keys",
            "sasl.enabled.mechanisms=PLAIN",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "listener.name.external.ssl.keystore.location=/keys",
            "super.users=User:admin",
            "security.inter.broker.protocol=SSL",
        ] {
            assert!(refusal(&[setting]).contains("would protect this node"), "{setting}");
        }
        assert!(refusal(&["listeners=SSL://:9093"]).contains("would be protected by SSL"));
    }

    #[test]
    fn what_protects_only_as_it_does_by_default_is_taken() {
        assert!(load_settings(&["ssl.client.auth=none", "authorizer.class.name="]).is_ok());
    }

    #[test]
    fn several_folders_are_refused() {
        assert!(refusal(&["log.dirs=/a,/b"]).starts_with("log.dirs = /a,/b (flags): 2 folders"));
        assert!(refusal(&["metadata.log.dir=/m"]).contains("a folder of its own for the metadata"));
    }

    #[test]
    fn an_unknown_name_is_refused_where_it_can_only_be_ours() {
        assert_eq!(refusal(&["num.partitons=3"]), "num.partitons (flags) is not a setting; did you mean num.partitions?");
        assert_eq!(refusal(&["retention.ms=3"]), "retention.ms (flags) is not a setting; did you mean log.retention.ms?");
        assert!(load_text("gracchus.toml", "no.such.thing = 1").unwrap_err().to_string().ends_with("is not a setting"));
        let environment = [("GRACCHUS_NUM_PARTITONS".to_owned(), "3".to_owned())];
        assert!(load(None, &Overrides::default(), environment).is_err());
    }

    #[test]
    fn an_unknown_name_in_kafkas_file_is_a_warning() {
        let (settings, warnings) = load_text("server.properties", "confluent.metrics.enable=true\n").unwrap();
        assert!(matches!(warnings.as_slice(), [Warning::Unknown { name, .. }] if name == "confluent.metrics.enable"));
        assert!(!settings.configs.contains_key("confluent.metrics.enable"));
    }

    #[test]
    fn ids_that_differ_are_refused() {
        assert!(refusal(&["node.id=1", "broker.id=2"]).contains("node.id is 1"));
        assert_eq!(load_settings(&["broker.id=7"]).unwrap().0.node, NodeId(7));
    }

    #[test]
    fn what_is_advertised_is_told_in_the_listing() {
        let (settings, _) = load_settings(&["advertise=example.org:1"]).unwrap();
        assert_eq!(settings.configs["advertised.listeners"], "PLAINTEXT://example.org:1");
        assert!(!settings.configs.contains_key("advertise"));
    }

    #[test]
    fn a_node_on_all_addresses_is_told_by_the_machines_name() {
        let (settings, _) = load_settings(&["listen=0.0.0.0:9092"]).unwrap();
        assert_eq!(settings.listeners[0].advertised, Some((host_name(), 0)));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let missing = load(Some(Path::new("/no/such/file.toml")), &Overrides::default(), BTreeMap::new()).unwrap_err();
        assert!(missing.to_string().starts_with("/no/such/file.toml: "));
    }
}
