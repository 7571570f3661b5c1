//! Everything that a node is told before it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gracchus_core::broker::{BrokerSettings, Endpoint};
use gracchus_core::ids::{DirectoryId, IncarnationId, NodeId};
use gracchus_core::quorum;
use gracchus_core::record::Voter;

use super::listeners::{host_and_port, unbracketed};
use super::{HostPort, Roles, Voters};
use crate::format::DataFolder;
use crate::store::StoreSettings;

/// Open files beside those of the store's cache and of connections: what a task has in hand, listeners, the log, the HTTP port.
const OTHER_DESCRIPTORS: u32 = 64;

/// What the operator says, complete and checked. A node needs to know its data folder besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSettings {
    /// `node.id`.
    pub node: NodeId,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// What it is.
    pub roles: Roles,
    /// How the quorum's voters are named.
    pub voters: Voters,
    /// `controller.quorum.bootstrap.servers`, without the node itself.
    pub bootstrap_servers: Vec<HostPort>,
    /// The listener by which controllers serve: the first of `controller.listener.names`.
    pub controller_listener: Option<String>,
    /// `inter.broker.listener.name`: the listener by which other nodes find a broker that does not vote, the first if there is none.
    pub inter_broker_listener: Option<String>,
    /// Where the node listens.
    pub listeners: Vec<ListenerSettings>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The data folder as the operator named it.
    pub log_directory: String,
    /// What connections may use.
    pub limits: ConnectionLimits,
    /// What the store may use.
    pub store: StoreSettings,
    /// As [`NodeSettings::send_by_copy`].
    pub send_by_copy: bool,
    /// As [`NodeSettings::http`].
    pub http: Option<String>,
    /// All that was given, by name.
    pub configs: BTreeMap<String, String>,
}

impl OperatorSettings {
    /// Makes do with as many open files as the process may have: half of them at most for the store, the rest for connections.
    pub fn fit(&mut self, descriptors_max: u64) {
        let descriptors_max = u32::try_from(descriptors_max).unwrap_or(u32::MAX);
        self.store.open_files_max = self.store.open_files_max.min(descriptors_max / 2).max(1);
        let left = descriptors_max.saturating_sub(self.store.open_files_max).saturating_sub(OTHER_DESCRIPTORS);
        self.limits.connections_max = left.max(1);
    }

    /// The settings of a node on its formatted folder.
    #[must_use]
    pub fn on(self, folder: DataFolder, incarnation: IncarnationId, seed: [u8; 32]) -> NodeSettings {
        let (voters, addresses) = self.quorum(&folder);
        let of_controllers: Arc<str> = self.controller_listener.as_deref().unwrap_or("CONTROLLER").into();
        let controller =
            |address: &HostPort| Endpoint { listener: Arc::clone(&of_controllers), host: address.host.clone(), port: address.port };
        let controllers = addresses.iter().map(|(node, address)| (*node, controller(address))).collect();
        let broker = BrokerSettings {
            node: self.node,
            cluster_id: folder.cluster_id,
            directory: folder.directory,
            incarnation,
            rack: self.rack,
            is_broker: self.roles.is_broker,
            endpoints: Vec::new(),
            controllers,
            configs: self.configs,
            log_directory: self.log_directory,
            // The store knows, once it is started.
            was_unclean: true,
            voters,
            features: folder.features,
            seed,
        };
        NodeSettings {
            broker,
            listeners: self.listeners,
            peers: PeerSettings {
                voters: addresses,
                bootstrap_servers: self.bootstrap_servers,
                inter_broker_listener: self.inter_broker_listener,
            },
            data_dir: self.data_dir,
            limits: self.limits,
            store: self.store,
            send_by_copy: self.send_by_copy,
            http: self.http,
        }
    }

    /// Who votes, and where the voters are. Of voters that the settings name only the node's own folder is known. What a folder was formatted
    /// with comes before the settings, as in Kafka: it was one decision for all.
    fn quorum(&self, folder: &DataFolder) -> (quorum::Voters, BTreeMap<NodeId, HostPort>) {
        let own = Voter { node: self.node, directory: folder.directory };
        if let Some(formatted) = &folder.voters {
            let voters = formatted.iter().map(|(&node, voter)| Voter { node, directory: voter.directory }).collect();
            let addresses = formatted.iter().map(|(&node, voter)| (node, voter.address.clone())).collect();
            return (voters, addresses);
        }
        match &self.voters {
            Voters::Static(addresses) => {
                let unknown = |&node: &NodeId| Voter { node, directory: DirectoryId::default() };
                let voters = addresses.keys().map(|node| if *node == own.node { own } else { unknown(node) }).collect();
                (voters, addresses.clone())
            }
            Voters::Formatted if !self.roles.is_controller => (quorum::Voters::default(), BTreeMap::new()),
            Voters::Formatted => ([own].into_iter().collect(), BTreeMap::new()),
        }
    }
}

/// Where other nodes are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerSettings {
    /// Where the voters are. Other brokers register where they are.
    pub voters: BTreeMap<NodeId, HostPort>,
    /// Controllers to ask who the others are, while no leader of theirs is known (`controller.quorum.bootstrap.servers`).
    pub bootstrap_servers: Vec<HostPort>,
    /// The listener by which those are found, the first if none is named.
    pub inter_broker_listener: Option<String>,
}

/// A node's settings, complete and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// What the core is told. Its endpoints are empty: the node fills them in once its listeners are bound, since port 0 is known only then.
    pub broker: BrokerSettings,
    /// Where the node listens.
    pub listeners: Vec<ListenerSettings>,
    /// Where other nodes are.
    pub peers: PeerSettings,
    /// The data folder.
    pub data_dir: PathBuf,
    /// What connections may use.
    pub limits: ConnectionLimits,
    /// What the store may use.
    pub store: StoreSettings,
    /// Whether record bytes are copied to sockets through memory instead of sent by `sendfile` (`socket.send.copy`).
    pub send_by_copy: bool,
    /// Where metrics and health are served over HTTP, `host:port`; nowhere if there is none (`http.listen`).
    pub http: Option<String>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Its name, as `listeners` and `listener.security.protocol.map` write it.
    pub name: String,
    /// What is bound, `host:port`: an empty host is 0.0.0.0, port 0 any free port.
    pub bind: String,
    /// What clients are told, if not what was bound; port 0 stands for the port that was bound.
    pub advertised: Option<(String, u16)>,
    /// Whether it is one of `controller.listener.names`: bound like the others, told to no client of a broker.
    pub is_controller: bool,
}

impl ListenerSettings {
    /// Whether whoever connects to that address comes in here.
    pub(super) fn is_at(&self, address: &HostPort) -> bool {
        const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
        const EVERYWHERE: [&str; 3] = ["", "0.0.0.0", "::"];
        let Some((host, port)) = host_and_port(&self.bind) else { return false };
        let (host, told) = (unbracketed(host), address.host.as_str());
        // Port 0 of what is advertised stands for the port that is bound.
        let is_advertised = |(host, at): &(String, u16)| host == told && (if *at == 0 { port } else { *at }) == address.port;
        let is_bound = host == told || (LOCAL.contains(&told) && (LOCAL.contains(&host) || EVERYWHERE.contains(&host)));
        self.advertised.as_ref().is_some_and(is_advertised) || (port == address.port && is_bound)
    }

    /// A listener on every address is told by the machine's name: nobody can connect to 0.0.0.0.
    pub(super) fn advertise_by_name(&mut self, host_name: &str) {
        let is_everywhere = self.bind.starts_with("0.0.0.0:") || self.bind.starts_with("[::]:");
        if is_everywhere && self.advertised.is_none() {
            self.advertised = Some((host_name.to_owned(), 0));
        }
    }
}

/// Bounds on what connections use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that the node has room for at one time: one more is closed at once. The broker's `max.connections` may allow fewer.
    pub connections_max: u32,
    /// Bytes of one request: a frame that says more ends its connection (`socket.request.max.bytes`).
    pub request_bytes_max: u32,
    /// Requests of one connection that wait for their answers; further ones wait in the socket.
    pub in_flight_requests_max: u32,
    /// Bytes of requests held in memory over all connections; reading waits while there are more (`queued.max.request.bytes`).
    pub queued_bytes_max: u64,
    /// A connection that is silent for this long in milliseconds is closed; never, if negative (`connections.max.idle.ms`).
    pub idle_ms_max: i64,
}

#[cfg(test)]
mod tests {
    use gracchus_core::ids::Uuid;

    use super::*;
    use crate::config::{ServeArgs, load};
    use crate::format::{Features, FormattedVoter, FormattedVoters};

    const OWN: DirectoryId = DirectoryId(Uuid([1; 16]));

    fn on(voters: &str, formatted: FormattedVoters) -> NodeSettings {
        let args = ServeArgs { settings: vec![format!("controller.quorum.voters={voters}")], ..ServeArgs::default() };
        let (settings, _) = load(None, &args.overrides().unwrap(), BTreeMap::new()).unwrap();
        let folder = DataFolder {
            cluster_id: "c".into(),
            directory: OWN,
            features: Features::new(),
            voters: Some(formatted).filter(|voters| !voters.is_empty()),
        };
        settings.on(folder, IncarnationId::default(), [0; 32])
    }

    fn directories(settings: &NodeSettings) -> Vec<(i32, DirectoryId)> {
        settings.broker.voters.iter().map(|voter| (voter.node.0, voter.directory)).collect()
    }

    #[test]
    fn a_listener_is_where_it_is_bound_and_where_it_is_advertised() {
        let is_at = |bind: &str, advertised: Option<(&str, u16)>, address: &str| {
            let advertised = advertised.map(|(host, port)| (host.to_owned(), port));
            let listener = ListenerSettings { name: "CONTROLLER".into(), bind: bind.into(), advertised, is_controller: true };
            listener.is_at(&HostPort::parse(address).unwrap())
        };
        for (bind, address) in
            [(":9093", "localhost:9093"), ("0.0.0.0:9093", "[::1]:9093"), ("localhost:9093", "127.0.0.1:9093"), ("a:1", "a:1")]
        {
            assert!(is_at(bind, None, address), "{bind} is at {address}");
        }
        assert!(is_at("0.0.0.0:9093", Some(("a", 0)), "a:9093"), "port 0 is the one that is bound");
        for (bind, address) in [("10.0.0.2:9093", "localhost:9093"), ("0.0.0.0:9093", "a:9093"), (":9093", "localhost:9094")] {
            assert!(!is_at(bind, None, address), "{bind} is not at {address}");
        }
    }

    #[test]
    fn of_voters_in_the_settings_only_the_nodes_own_folder_is_known() {
        let settings = on("1@a:1,2@b:2", FormattedVoters::new());
        assert_eq!(directories(&settings), [(1, OWN), (2, DirectoryId::default())]);
        assert_eq!(settings.peers.voters[&NodeId(2)].to_string(), "b:2");
    }

    #[test]
    fn voters_that_the_folder_was_formatted_with_come_first() {
        let voter = |directory, address: &str| FormattedVoter { directory, address: HostPort::parse(address).unwrap() };
        let other = DirectoryId(Uuid([3; 16]));
        let formatted = FormattedVoters::from([(NodeId(1), voter(OWN, "a:1")), (NodeId(3), voter(other, "c:3"))]);
        let settings = on("1@a:1,2@b:2", formatted);
        assert_eq!(directories(&settings), [(1, OWN), (3, other)]);
        assert_eq!(settings.peers.voters.keys().copied().collect::<Vec<_>>(), [NodeId(1), NodeId(3)]);
    }

    #[test]
    fn without_voters_a_node_is_alone() {
        assert_eq!(directories(&on("", FormattedVoters::new())), [(1, OWN)]);
    }
}
