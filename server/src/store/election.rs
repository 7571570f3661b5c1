//! The quorum's vote, which must survive whatever happens (KIP-595's `quorum-state`).

use std::path::Path;

use bytes::Bytes;
use gracchus_core::boundary::{ElectionState, StorageError};
use gracchus_core::epoch::QuorumEpoch;
use gracchus_core::ids::{DirectoryId, NodeId};
use gracchus_core::record::Voter;
use serde::{Deserialize, Serialize};

use super::{checkpoint, failure, paths};
use crate::platform::Disk;

/// The versions that were ever written.
#[derive(Serialize, Deserialize)]
enum Versioned {
    V1(StateV1),
    V2(ElectionState),
}

/// Before voters had folders.
#[derive(Serialize, Deserialize)]
struct StateV1 {
    quorum_epoch: QuorumEpoch,
    voted_for: Option<NodeId>,
    leader: Option<NodeId>,
}

impl From<StateV1> for ElectionState {
    fn from(StateV1 { quorum_epoch, voted_for, leader: _ }: StateV1) -> Self {
        let voted_for = voted_for.map(|node| Voter { node, directory: DirectoryId::default() });
        Self { quorum_epoch, voted_for }
    }
}

/// Keeps the vote, durably once it returns.
pub(super) async fn keep<D: Disk>(disk: &D, state: &ElectionState) -> Result<(), StorageError> {
    let folder = paths::metadata_folder();
    let kept = checkpoint::replace(disk, &folder, Path::new(checkpoint::QUORUM_STATE), encode(state)).await;
    kept.map_err(|error| failure::from_io(&error))?;
    // The folder itself may be new.
    disk.sync_dir(paths::root()).await.map_err(|error| failure::from_io(&error))
}

/// Reads the vote; `None` if there was never one.
pub(super) async fn load<D: Disk>(disk: &D) -> Result<Option<ElectionState>, StorageError> {
    let path = paths::metadata_folder().join(checkpoint::QUORUM_STATE);
    match checkpoint::read_checked(disk, &path, decode).await.map_err(|error| failure::from_io(&error))? {
        Some(Some(state)) => Ok(Some(state)),
        Some(None) => Err(failure::corrupt(path.display().to_string())),
        None => Ok(None),
    }
}

fn encode(state: &ElectionState) -> Bytes {
    checkpoint::seal(b"", &Versioned::V2(state.clone()))
}

fn decode(content: &[u8]) -> Option<ElectionState> {
    match checkpoint::unseal(b"", content)? {
        Versioned::V1(state) => Some(state.into()),
        Versioned::V2(state) => Some(state),
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::ids::Uuid;

    use super::*;

    fn voter(directory: [u8; 16]) -> Voter {
        Voter { node: NodeId(2), directory: DirectoryId(Uuid(directory)) }
    }

    #[test]
    fn a_vote_of_the_first_version_is_understood() {
        let body = [0, 14, 1, 4, 0];
        let content = [&crc_fast::crc32_iscsi(&body).to_be_bytes()[..], &body].concat();
        assert_eq!(decode(&content), Some(ElectionState { quorum_epoch: QuorumEpoch(7), voted_for: Some(voter([0; 16])) }));
    }

    #[test]
    fn a_vote_survives_a_round_trip_and_damage_is_seen() {
        let state = ElectionState { quorum_epoch: QuorumEpoch(7), voted_for: Some(voter([5; 16])) };
        let content = encode(&state);
        assert_eq!(decode(&content), Some(state));
        for at in 0..content.len() {
            let mut flipped = content.to_vec();
            flipped[at] ^= 4;
            assert_eq!(decode(&flipped), None, "byte {at}");
        }
    }
}
