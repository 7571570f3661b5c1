//! Settings by Kafka's dotted names: what there is, what it may be, and where a value comes from.
//!
//! [`definitions`] says what settings there are. A topic's own values are a map of text over a [`BrokerConfigs`], which is three such maps
//! over the defaults, and so are a group's; [`TopicSettings::resolve`] makes typed settings of them, [`describe_topic`] and its siblings the
//! listings of DescribeConfigs. [`alter`] and [`replace`] make new maps of old ones, [`check_topic`] and its siblings judge them: nothing is
//! kept that they have refused.

mod broker;
mod change;
mod check;
pub mod definitions;
mod describe;
mod entry;
mod group;
mod layers;
mod topic;
mod value;

pub use broker::BrokerConfigs;
pub use change::{SettingsOf, alter, apply_change, replace};
pub use check::{BrokerScope, check_broker, check_new_topic, check_topic, validate_broker, validate_topic};
pub(crate) use definitions::RACK_AWARE_SELECTOR;
pub use describe::{Listing, describe_broker, describe_broker_default, describe_group, describe_topic};
pub use entry::{ConfigEntry, ConfigKind, ConfigSource};
pub use group::{Bounded, check_group};
pub use topic::TopicSettings;
pub use value::{BadValue, Value};
