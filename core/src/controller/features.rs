//! Finalised features (KIP-584, KIP-778).

use super::Controller;
use crate::boundary::{FeatureDirection, FeatureUpdate, UpdateFeaturesRequest, UpdateFeaturesResponse};
use crate::config::BrokerConfigs;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{NodeId, TopicPartition};
use crate::metadata::{ConfigTarget, ELIGIBLE_LEADER_REPLICAS, FEATURES, MetadataRecord, PartitionRegistration};

pub(super) const MIN_INSYNC: &str = "min.insync.replicas";

impl Controller {
    /// Decides on the levels of features: all of them, or none. `me` is the controller's node, which answers name. The form of this release's
    /// metadata hangs on no level, so that nothing is lost by one that goes down.
    #[must_use]
    pub fn update_features(
        &self,
        request: &UpdateFeaturesRequest,
        me: NodeId,
        defaults: &BrokerConfigs,
    ) -> (Vec<MetadataRecord>, UpdateFeaturesResponse) {
        let features: Vec<String> = request.updates.iter().map(|update| update.feature.clone()).collect();
        let decided: Result<Vec<_>, _> = request.updates.iter().map(|update| self.update_feature(update, me)).collect();
        match decided {
            Ok(records) => {
                let records = records.into_iter().flatten().collect();
                (self.with_consequences(records, defaults), UpdateFeaturesResponse { error: None, features })
            }
            Err(error) => (Vec::new(), UpdateFeaturesResponse { error: Some(error), features }),
        }
    }

    /// The records, and what follows from them: where no replica is eligible any more (KIP-966), none stays so; where replicas become eligible,
    /// how many have to be in sync is the same for all brokers from there on, and is in the metadata.
    pub(super) fn with_consequences(&self, mut records: Vec<MetadataRecord>, defaults: &BrokerConfigs) -> Vec<MetadataRecord> {
        let is_begin =
            |record: &MetadataRecord| matches!(record, MetadataRecord::Feature { name, level: 1.. } if name == ELIGIBLE_LEADER_REPLICAS);
        if !self.image().has_eligible_replicas() && records.iter().any(is_begin) {
            records.extend(self.unite_min_insync(defaults));
        }
        let is_end = |record: &MetadataRecord| matches!(record, MetadataRecord::Feature { name, level: 0 } if name == ELIGIBLE_LEADER_REPLICAS);
        if records.iter().any(is_end) {
            let all = self.image().topics.iter().flat_map(|(topic, registered)| {
                registered.partitions.iter().map(|(index, partition)| (TopicPartition { topic: *topic, partition: *index }, partition))
            });
            let ended = all.filter(|(_, partition)| !partition.elr.is_empty()).map(|(id, partition)| {
                let partition_epoch = partition.partition_epoch.next();
                MetadataRecord::Partition { id, state: PartitionRegistration { elr: Vec::new(), partition_epoch, ..partition.clone() } }
            });
            records.extend(ended);
        }
        records
    }

    /// One `min.insync.replicas` for all brokers: what was set for them all, or what this node's file says.
    fn unite_min_insync(&self, defaults: &BrokerConfigs) -> Vec<MetadataRecord> {
        let of = |target: &ConfigTarget| self.image().configs_of(target).contains_key(MIN_INSYNC);
        let record = |target, value| MetadataRecord::Config { target, name: MIN_INSYNC.to_owned(), value };
        let own = self.image().brokers.keys().map(|node| ConfigTarget::Broker(*node)).filter(of).map(|target| record(target, None));
        let of_all = (!of(&ConfigTarget::DefaultBroker))
            .then(|| record(ConfigTarget::DefaultBroker, BrokerConfigs::new(defaults.given.clone()).text(MIN_INSYNC)));
        own.chain(of_all).collect()
    }

    fn update_feature(&self, update: &FeatureUpdate, me: NodeId) -> Result<Option<MetadataRecord>, ApiError> {
        let FeatureUpdate { feature, level, direction } = update;
        let refuse = |reason: String| {
            let message = format!("Invalid update version {level} for feature {feature}. {reason}");
            Err(ApiError::new(ErrorCode::InvalidUpdateVersion, message))
        };
        if let FeatureDirection::Unknown(_) = direction {
            return refuse("The controller does not support the given upgrade type.".into());
        }
        if *level < 0 {
            return refuse("A feature version cannot be less than 0.".into());
        }
        let Some(known) = FEATURES.iter().find(|known| known.name == feature && known.level_max > 0) else {
            return refuse(format!("Local controller {me} does not support this feature."));
        };
        if !(known.level_min..=known.level_max).contains(level) {
            return refuse(format!("Local controller {me} only supports versions {}-{}", known.level_min, known.level_max));
        }
        let current = self.image().features.get(feature).copied().unwrap_or(0);
        match direction {
            FeatureDirection::Upgrade if *level < current => refuse(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.".into(),
            ),
            FeatureDirection::SafeDowngrade | FeatureDirection::UnsafeDowngrade if *level > current => {
                refuse("Can't downgrade to a newer version.".into())
            }
            FeatureDirection::Upgrade | FeatureDirection::SafeDowngrade | FeatureDirection::UnsafeDowngrade | FeatureDirection::Unknown(_) => {
                Ok((*level != current).then(|| MetadataRecord::Feature { name: feature.clone(), level: *level }))
            }
        }
    }
}
