//! Where other nodes are: voters where the settings say, other brokers where they have registered.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use gracchus_core::ids::NodeId;
use gracchus_core::metadata::Image;

use crate::config::{HostPort, PeerSettings};

/// The addresses of other nodes.
pub(in super::super) struct Addresses {
    settings: PeerSettings,
    registered: RwLock<Arc<BTreeMap<NodeId, HostPort>>>,
}

impl Addresses {
    pub(in super::super) fn new(settings: PeerSettings) -> Self {
        Self { settings, registered: RwLock::default() }
    }

    /// Where a voter is, as the settings say.
    pub(super) fn of_voter(&self, node: NodeId) -> Option<HostPort> {
        self.settings.voters.get(&node).cloned()
    }

    /// Where a broker is, as it has registered.
    pub(super) fn of_broker(&self, node: NodeId) -> Option<HostPort> {
        self.registered.read().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
    }

    /// Takes the endpoints of the brokers in the committed metadata.
    pub(in super::super) fn publish(&self, image: &Image) {
        let listener = self.settings.inter_broker_listener.as_deref();
        let endpoint_of = |(node, broker): (&NodeId, &gracchus_core::metadata::BrokerRegistration)| {
            let named = broker.endpoints.iter().find(|endpoint| Some(&*endpoint.listener) == listener);
            let endpoint = named.or_else(|| broker.endpoints.first())?;
            Some((*node, HostPort { host: endpoint.host.clone(), port: endpoint.port }))
        };
        let registered = image.brokers.iter().filter_map(endpoint_of).collect();
        *self.registered.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registered);
    }
}
