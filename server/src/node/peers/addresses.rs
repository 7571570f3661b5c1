//! Where other nodes are: voters where the settings or else the metadata log says, other brokers where they have registered, and controllers
//! where one of them said that they are.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use gracchus_core::broker::{Endpoint, View};
use gracchus_core::ids::NodeId;

use crate::config::{HostPort, PeerSettings};

/// The addresses of other nodes.
pub(in super::super) struct Addresses {
    settings: PeerSettings,
    registered: RwLock<Arc<BTreeMap<NodeId, HostPort>>>,
    found: RwLock<BTreeMap<NodeId, HostPort>>,
}

impl Addresses {
    pub(in super::super) fn new(settings: PeerSettings) -> Self {
        Self { settings, registered: RwLock::default(), found: RwLock::default() }
    }

    /// Where a voter is, as the settings say.
    pub(super) fn of_voter(&self, node: NodeId) -> Option<HostPort> {
        self.settings.voters.get(&node).cloned()
    }

    /// Where a broker is, as it has registered.
    pub(super) fn of_broker(&self, node: NodeId) -> Option<HostPort> {
        self.registered.read().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
    }

    /// Where a controller is, as another one has said while no leader was heard: what else is known is of before.
    pub(super) fn of_controller(&self, node: NodeId) -> Option<HostPort> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
    }

    /// Controllers to ask who the others are.
    pub(super) fn bootstrap_servers(&self) -> &[HostPort] {
        &self.settings.bootstrap_servers
    }

    /// Takes where a controller says that all of them are.
    pub(super) fn find(&self, controllers: BTreeMap<NodeId, HostPort>) {
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = controllers;
    }

    /// Takes the endpoints of the voters by the metadata log, and of the brokers by as much of it as is committed.
    pub(in super::super) fn publish(&self, view: &View<'_>) {
        let listener = self.settings.inter_broker_listener.as_deref();
        let at = |endpoints: &[Endpoint]| {
            let named = endpoints.iter().find(|endpoint| Some(&*endpoint.listener) == listener);
            let endpoint = named.or_else(|| endpoints.first())?;
            Some(HostPort { host: endpoint.host.clone(), port: endpoint.port })
        };
        let voters = view.registered_voters();
        let mut registered: BTreeMap<NodeId, HostPort> = voters.iter().filter_map(|voter| Some((voter.node, at(&voter.endpoints)?))).collect();
        registered.extend(view.image().brokers.iter().filter_map(|(node, broker)| Some((*node, at(&broker.endpoints)?))));
        *self.registered.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registered);
    }
}
