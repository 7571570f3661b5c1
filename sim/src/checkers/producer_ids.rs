//! No producer id is handed out twice, across restarts and power losses.

use std::collections::BTreeSet;

use gracchus_core::boundary::{Effects, Response};
use gracchus_core::ids::ProducerId;

use super::Violation;

#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    given: BTreeSet<ProducerId>,
}

impl ProducerIds {
    pub(super) fn step(&mut self, effects: &Effects) -> Result<(), Violation> {
        for reply in &effects.replies {
            let Response::InitProducerId(response) = &reply.response else { continue };
            let Ok((id, _)) = response.result else { continue };
            if !self.given.insert(id) {
                return Err(Violation::safety("ProducerIds", format!("producer id {} is handed out twice", id.0)));
            }
        }
        Ok(())
    }

    /// An empty disk remembers none.
    pub(super) fn forget(&mut self) {
        self.given.clear();
    }
}
