//! What a group may set for itself (KIP-848): of Kafka's settings those of groups of the consumer protocol. What a broker allows bounds them.

use super::Definition;
use super::build::{int, same};

/// Sorted by name.
pub(super) const GROUP: &[Definition] = &[
    int("consumer.assignment.interval.ms")
        .default("1000")
        .at_least(0)
        .else_broker(&[same("group.consumer.assignment.interval.ms")])
        .kept()
        .doc("Time between two assignments of the group."),
    int("consumer.heartbeat.interval.ms")
        .default("5000")
        .at_least(1)
        .else_broker(&[same("group.consumer.heartbeat.interval.ms")])
        .kept()
        .doc("How often the group's members send heartbeats."),
    int("consumer.session.timeout.ms")
        .default("45000")
        .at_least(1)
        .else_broker(&[same("group.consumer.session.timeout.ms")])
        .kept()
        .doc("A member that is silent for this long leaves the group."),
];
