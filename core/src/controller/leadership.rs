//! Elections that are asked for (KIP-183, KIP-460), and the return of leadership to preferred replicas.

use super::Controller;
use super::elections::Electorate;
use crate::boundary::{ElectLeadersRequest, ElectLeadersResponse, Election};
use crate::config::BrokerConfigs;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{PartitionIndex, TopicName, TopicPartition};
use crate::limits::REBALANCED_PARTITIONS_MAX;
use crate::metadata::MetadataRecord;

impl Controller {
    /// Decides on elections, each for itself.
    #[must_use]
    pub fn elect_leaders(&self, request: &ElectLeadersRequest, defaults: &BrokerConfigs) -> (Vec<MetadataRecord>, ElectLeadersResponse) {
        if let Election::Unknown(_) = request.election {
            return (Vec::new(), ElectLeadersResponse { error: Some(ErrorCode::InvalidRequest), partitions: Vec::new() });
        }
        let mut records = Vec::new();
        let mut elect = |topic: &TopicName, index: PartitionIndex| {
            let outcome = self.elect_leader(topic, index, request.election, defaults);
            (index, outcome.map(|record| records.push(record)).err())
        };
        let mut partitions: Vec<_> = match &request.partitions {
            Some(asked) => {
                asked.iter().map(|(topic, indexes)| (topic.clone(), indexes.iter().map(|index| elect(topic, *index)).collect())).collect()
            }
            None => {
                let all = self.image().topic_ids.iter().filter_map(|(name, id)| Some((name, self.image().topics.get(id)?)));
                all.map(|(name, topic)| (name.clone(), topic.partitions.keys().map(|index| elect(name, *index)).collect())).collect()
            }
        };
        if request.partitions.is_none() {
            let is_needed = |error: &Option<ApiError>| error.as_ref().is_none_or(|error| error.code != ErrorCode::ElectionNotNeeded);
            partitions.iter_mut().for_each(|(_, outcomes): &mut (_, Vec<_>)| outcomes.retain(|(_, error)| is_needed(error)));
        }
        (records, ElectLeadersResponse { error: None, partitions })
    }

    fn elect_leader(
        &self,
        topic: &TopicName,
        index: PartitionIndex,
        election: Election,
        defaults: &BrokerConfigs,
    ) -> Result<MetadataRecord, ApiError> {
        let (id, partition) = self.partition_named(topic, index)?;
        let electorate = Electorate::new(self.image(), defaults);
        let (is_needed, elected, otherwise) = match election {
            Election::Preferred => {
                let is_needed = partition.leader.is_none() || partition.leader != partition.replicas.first().copied();
                (is_needed, electorate.elect_preferred(partition), ErrorCode::PreferredLeaderNotAvailable)
            }
            Election::Unclean => {
                (partition.leader.is_none(), electorate.elect_uncleanly(id, partition), ErrorCode::EligibleLeadersNotAvailable)
            }
            Election::Unknown(_) => return Err(ErrorCode::InvalidRequest.into()),
        };
        if !is_needed {
            return Err(ErrorCode::ElectionNotNeeded.into());
        }
        Ok(MetadataRecord::Partition { id, state: elected.ok_or(otherwise)? })
    }

    /// Gives leadership back to preferred replicas that are in sync, of a bounded number of partitions at once.
    #[must_use]
    pub fn rebalance_leaders(&self, defaults: &BrokerConfigs) -> Vec<MetadataRecord> {
        let electorate = Electorate::new(self.image(), defaults);
        let all = self.image().topics.iter().flat_map(|(topic, registered)| {
            registered.partitions.iter().map(|(index, partition)| (TopicPartition { topic: *topic, partition: *index }, partition))
        });
        let strayed = all.filter(|(_, partition)| partition.leader.is_some() && partition.leader != partition.replicas.first().copied());
        let elected =
            strayed.filter_map(|(id, partition)| Some(MetadataRecord::Partition { id, state: electorate.elect_preferred(partition)? }));
        elected.take(REBALANCED_PARTITIONS_MAX).collect()
    }
}
