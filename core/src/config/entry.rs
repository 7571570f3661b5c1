//! A setting as DescribeConfigs shows it.

use serde::{Deserialize, Serialize};

/// A setting as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigEntry {
    /// Kafka's dotted name.
    pub name: String,
    /// Its value; none when it is sensitive or unset.
    pub value: Option<String>,
    /// Whether it can't be altered.
    pub is_read_only: bool,
    /// Whether its value is a secret.
    pub is_sensitive: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Where it could come from, strongest first: name, value and source. Empty unless asked for.
    pub synonyms: Vec<(String, Option<String>, ConfigSource)>,
    /// What values it takes.
    pub kind: ConfigKind,
    /// What it means. None unless asked for.
    pub documentation: Option<String>,
}

/// Where a value comes from; the order is that of precedence, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConfigSource {
    /// The topic's own (1).
    DynamicTopic,
    /// The group's own (8).
    DynamicGroup,
    /// Altered on this broker (2).
    DynamicBroker,
    /// Altered for all brokers (3).
    DynamicDefaultBroker,
    /// The node's file, environment or flags (4).
    StaticBroker,
    /// Kafka's default, or ours (5).
    Default,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigKind {
    /// true or false.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A decimal fraction.
    Double,
    /// Words with commas between them.
    List,
    /// The name of a Java class.
    Class,
    /// A secret.
    Password,
    /// Nobody knows: a name that is not defined.
    Unknown,
}

impl ConfigKind {
    /// The values in words.
    pub(super) fn allowed(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Int | Self::Short | Self::Long => "a whole number",
            Self::Double => "a number",
            Self::List => "words with commas between them",
            Self::Class => "the name of a class",
            Self::String | Self::Password | Self::Unknown => "text",
        }
    }
}
