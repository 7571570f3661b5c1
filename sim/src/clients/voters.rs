//! An operator's request for other voters of the metadata quorum.

use gracchus_core::record::Voter;
use gracchus_net::client::WireError;
use kafka_wire::add_raft_voter_request::Listener;
use kafka_wire::{AddRaftVoterRequest, RemoveRaftVoterRequest};
use kafka_wire_core::StrBytes;

use super::{Client, Lost, Wire};
use crate::checkers::{Violation, VoterChange};
use crate::world::Members;

/// How long a voter may take to be added, in milliseconds.
pub(crate) const ADD_VOTER_MS: i32 = 5_000;

const ANSWERS: [WireError; 6] =
    [WireError::NONE, WireError::REQUEST_TIMED_OUT, WireError::NOT_CONTROLLER, INVALID_REQUEST, DUPLICATE_VOTER, VOTER_NOT_FOUND];
const INVALID_REQUEST: WireError = WireError(42);
const DUPLICATE_VOTER: WireError = WireError(126);
const VOTER_NOT_FOUND: WireError = WireError(127);

impl Client {
    /// Asks any node for it. True if it is done.
    pub(crate) async fn change_voters(&mut self, change: VoterChange) -> Result<bool, Lost> {
        let node = self.draw.pick(&self.surroundings.servers.clone());
        let mut wire = Wire::open(self, node).await?;
        let error = match change {
            VoterChange::Add(voter) => {
                let request = add(voter);
                WireError(wire.ask(wire.version::<AddRaftVoterRequest>()?, &request).await?.error_code)
            }
            VoterChange::Remove(voter) => {
                let mut request = RemoveRaftVoterRequest::default();
                request.cluster_id = None;
                request.voter_id = voter.node.0;
                request.voter_directory_id = kafka_wire_core::Uuid::from_bytes(voter.directory.0.0);
                WireError(wire.ask(wire.version::<RemoveRaftVoterRequest>()?, &request).await?.error_code)
            }
        };
        if !ANSWERS.contains(&error) {
            let what = format!("an operator who asks for {change:?} is told {error}");
            self.surroundings.recorder.tell::<()>(|_| Err(Violation::safety("ErrorCodes", what)));
        }
        Ok(error == WireError::NONE)
    }
}

fn add(voter: Voter) -> AddRaftVoterRequest {
    let address = Members::address(voter.node);
    let mut listener = Listener::default();
    listener.name = StrBytes::from("PLAINTEXT");
    listener.host = StrBytes::from(address.ip().to_string().as_str());
    listener.port = address.port();
    let mut request = AddRaftVoterRequest::default();
    request.cluster_id = None;
    request.timeout_ms = ADD_VOTER_MS;
    request.voter_id = voter.node.0;
    request.voter_directory_id = kafka_wire_core::Uuid::from_bytes(voter.directory.0.0);
    request.listeners = vec![listener];
    request.ack_when_committed = true;
    request
}
