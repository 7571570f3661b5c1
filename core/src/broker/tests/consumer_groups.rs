//! Groups of the consumer protocol through the broker's door.

use super::*;
use crate::config::ConfigSource;
use crate::metadata::GROUP_VERSION;

fn joining() -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group: "readers".to_owned(),
        member_id: "one".to_owned(),
        member_epoch: 0,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: Some(60_000),
        topics: Some(vec!["t".into()]),
        pattern: None,
        assignor: None,
        owned: Some(Vec::new()),
        has_own_id: true,
    }
}

fn beat(node: &mut Node, asked: ConsumerGroupHeartbeatRequest) -> RequestId {
    node.ask(Request::from(GroupRequest::ConsumerGroupHeartbeat(asked)))
}

fn heard(node: &mut Node, id: RequestId) -> Option<Result<Heard, ErrorCode>> {
    let Response::Group(GroupResponse::ConsumerGroupHeartbeat(answer)) = node.answer(id)? else { panic!("another answer") };
    Some(answer.result.map_err(|error| error.code))
}

fn described(node: &mut Node) -> Result<DescribedConsumerGroup, ErrorCode> {
    let id = node.ask(Request::ConsumerGroupDescribe(ConsumerGroupDescribeRequest { groups: vec!["readers".to_owned()] }));
    node.settle();
    let Some(Response::Group(GroupResponse::ConsumerGroupDescribe(mut answer))) = node.answer(id) else { panic!("another answer") };
    answer.groups.remove(0).1.map_err(|error| error.code)
}

/// A node that coordinates groups, with a topic of one partition.
fn coordinating(level: i16, configs: &[(&str, &str)]) -> Node {
    let mut settings = settings(1);
    settings.features.insert(GROUP_VERSION.to_owned(), level);
    settings.configs.insert("offsets.topic.replication.factor".to_owned(), "1".to_owned());
    settings.configs.insert("group.consumer.assignment.interval.ms".to_owned(), "0".to_owned());
    settings.configs.extend(configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut node = Node::with(settings, Shelf::default(), Now { monotonic: Monotonic(0), wall: Timestamp(1_000_000) });
    node.settle();
    node.create("t", &[]);
    node.ask(Request::FindCoordinator(FindCoordinatorRequest { kind: CoordinatorKind::Group, keys: vec!["readers".to_owned()] }));
    node.settle();
    node
}

#[test]
fn a_member_is_told_what_it_gets_once_that_is_on_disk() {
    let mut node = coordinating(1, &[]);
    let id = beat(&mut node, joining());
    assert_eq!(heard(&mut node, id), None);
    node.settle();
    let told = heard(&mut node, id).unwrap().unwrap();
    assert_eq!((told.member_epoch, told.assignment.unwrap().len()), (1, 1));
    assert_eq!(described(&mut node).unwrap().state, "Stable");
}

#[test]
fn topics_that_change_are_heard_of() {
    let mut node = coordinating(1, &[]);
    beat(&mut node, ConsumerGroupHeartbeatRequest { topics: None, pattern: Some("[t-u]".to_owned()), ..joining() });
    node.settle();
    node.create("v", &[]);
    node.create("u", &[]);
    let bare = ConsumerGroupHeartbeatRequest { member_epoch: 1, rebalance_timeout_ms: None, topics: None, owned: None, ..joining() };
    let id = beat(&mut node, bare.clone());
    node.settle();
    let told = heard(&mut node, id).unwrap().unwrap();
    assert_eq!((told.member_epoch, told.assignment.unwrap().len()), (2, 2));
    let grow = MorePartitions { name: "t".into(), partition_count: 3, assignments: None };
    node.ask(Request::CreatePartitions(CreatePartitionsRequest { topics: vec![grow], timeout_ms: 1_000, validate_only: false }));
    node.settle();
    let id = beat(&mut node, ConsumerGroupHeartbeatRequest { member_epoch: 2, ..bare });
    node.settle();
    assert_eq!(heard(&mut node, id).unwrap().unwrap().assignment.unwrap().len(), 4);
}

#[test]
fn a_coordinator_that_loads_knows_its_members() {
    let mut node = coordinating(1, &[]);
    beat(&mut node, joining());
    node.settle();
    let mut node = node.restarted(2, true);
    let bare = ConsumerGroupHeartbeatRequest { member_epoch: 1, rebalance_timeout_ms: None, topics: None, owned: None, ..joining() };
    let id = beat(&mut node, bare);
    node.settle();
    assert_eq!(heard(&mut node, id).unwrap().unwrap().member_epoch, 1);
}

#[test]
fn groups_are_of_the_consumer_protocol_where_the_cluster_and_the_node_have_it() {
    for (level, configs) in [(0, &[][..]), (1, &[("group.coordinator.rebalance.protocols", "classic")][..])] {
        let mut node = coordinating(level, configs);
        let id = beat(&mut node, joining());
        assert_eq!(heard(&mut node, id), Some(Err(ErrorCode::UnsupportedVersion)));
        assert_eq!(described(&mut node), Err(ErrorCode::UnsupportedVersion));
    }
    let mut node = coordinating(1, &[]);
    assert_eq!(described(&mut node), Err(ErrorCode::GroupIdNotFound));
}

fn alter(node: &mut Node, group: &str, name: &str, value: Option<&str>) -> Option<(ErrorCode, String)> {
    let operation = if value.is_some() { ConfigOperation::Set } else { ConfigOperation::Delete };
    let change = ConfigChange { name: name.to_owned(), operation, value: value.map(str::to_owned) };
    let resources = vec![(ConfigResource::Group(group.to_owned()), vec![change])];
    let id = node.ask(Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources, validate_only: false }));
    node.settle();
    let Some(Response::AlterConfigs(answer)) = node.answer(id) else { panic!("it is answered") };
    answer.resources.into_iter().next().unwrap().1.map(|error| (error.code, error.message.unwrap_or_default().to_string()))
}

fn own_settings(node: &mut Node, group: &str) -> Vec<(String, String)> {
    let resources = vec![(ConfigResource::Group(group.to_owned()), None)];
    let request = DescribeConfigsRequest { resources, include_synonyms: false, include_documentation: false };
    let id = node.ask(Request::DescribeConfigs(request));
    let Some(Response::DescribeConfigs(answer)) = node.answer(id) else { panic!("it is answered at once") };
    let entries = answer.resources.into_iter().next().unwrap().1.unwrap();
    assert_eq!(entries.len(), 3);
    let own = entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicGroup);
    own.map(|entry| (entry.name, entry.value.unwrap())).collect()
}

fn listed(node: &mut Node) -> Vec<ConfigResource> {
    let id = node.ask(Request::ListConfigResources(ListConfigResourcesRequest { kinds: vec![32] }));
    let Some(Response::ListConfigResources(answer)) = node.answer(id) else { panic!("it is answered at once") };
    answer.result.unwrap()
}

#[test]
fn a_groups_own_settings_are_kept_shown_and_kept_to() {
    const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";
    let mut node = coordinating(1, &[]);
    assert_eq!(alter(&mut node, "readers", HEARTBEAT, Some("9000")), None);
    let kept = [(HEARTBEAT.to_owned(), "9000".to_owned())];
    assert_eq!(own_settings(&mut node, "readers"), kept);
    assert_eq!(own_settings(&mut node, "others"), []);
    assert_eq!(listed(&mut node), [ConfigResource::Group("readers".to_owned())]);

    let mut node = node.restarted(2, true);
    assert_eq!(own_settings(&mut node, "readers"), kept);
    beat(&mut node, joining());
    node.settle();
    node.pass(10_000);
    let bare = ConsumerGroupHeartbeatRequest { member_epoch: 1, rebalance_timeout_ms: None, topics: None, owned: None, ..joining() };
    let id = beat(&mut node, bare);
    node.settle();
    assert_eq!(heard(&mut node, id).unwrap().unwrap().heartbeat_interval_ms, 9_000);

    assert_eq!(alter(&mut node, "readers", HEARTBEAT, None), None);
    assert_eq!((own_settings(&mut node, "readers"), listed(&mut node)), (Vec::new(), Vec::new()));
}

#[test]
fn what_a_group_may_not_set_is_refused() {
    let mut node = coordinating(1, &[]);
    for (group, name, value, code, words) in [
        ("", "consumer.session.timeout.ms", "50000", ErrorCode::InvalidRequest, "Default group resources are not allowed."),
        ("readers", "share.session.timeout.ms", "50000", ErrorCode::InvalidConfig, "Unknown group config name: share.session.timeout.ms"),
        (
            "readers",
            "consumer.session.timeout.ms",
            "61000",
            ErrorCode::InvalidConfig,
            "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms",
        ),
    ] {
        assert_eq!(alter(&mut node, group, name, Some(value)), Some((code, words.to_owned())));
    }
    assert_eq!(listed(&mut node), []);
}
