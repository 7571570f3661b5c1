use super::*;

fn topic(name: &str) -> NewTopic {
    NewTopic { name: name.into(), partition_count: 2, replication_factor: 1, assignments: Vec::new(), configs: Vec::new() }
}

fn created(node: &mut Node, topics: Vec<NewTopic>) -> Vec<Result<TopicId, ErrorCode>> {
    let id = node.ask(Request::CreateTopics(CreateTopicsRequest { topics, timeout_ms: 1000, validate_only: false }));
    node.settle();
    match node.answer(id) {
        Some(Response::CreateTopics(answer)) => {
            answer.topics.into_iter().map(|(_, outcome)| outcome.map(|topic| topic.id).map_err(|error| error.code)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn metadata(node: &mut Node, name: &str, allow_auto_topic_creation: bool) -> TopicMetadata {
    let topics = Some(vec![TopicRef::Name(name.into())]);
    let id = node.ask(Request::Metadata(MetadataRequest { topics, allow_auto_topic_creation }));
    node.settle();
    match node.answer(id) {
        Some(Response::Metadata(answer)) => answer.topics.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_topic_is_answered_only_once_it_is_committed() {
    let mut node = Node::serving();
    let request = CreateTopicsRequest { topics: vec![topic("t")], timeout_ms: 1000, validate_only: false };
    let id = node.ask(Request::CreateTopics(request));
    assert!(node.answer(id).is_none());
    node.settle();
    assert!(node.answer(id).is_some());
    assert_eq!(metadata(&mut node, "t", false).partitions.len(), 2);
}

#[test]
fn what_can_not_be_created_says_why() {
    let mut node = Node::serving();
    let by_three = NewTopic { replication_factor: 3, ..topic("three") };
    let none = NewTopic { partition_count: 0, ..topic("none") };
    let neither = NewTopic { partition_count: 0, replication_factor: 0, ..topic("neither") };
    let long = "x".repeat(300);
    let asked = vec![topic("a.b"), topic("a_b"), topic("twice"), topic("twice"), topic(&long), topic("sp ace"), by_three, none, neither];
    assert!(created(&mut node, vec![topic("a.b")])[0].is_ok());
    assert_eq!(
        created(&mut node, asked),
        [
            ErrorCode::TopicAlreadyExists,
            ErrorCode::InvalidTopicException,
            ErrorCode::InvalidRequest,
            ErrorCode::InvalidTopicException,
            ErrorCode::InvalidTopicException,
            ErrorCode::InvalidReplicationFactor,
            ErrorCode::InvalidPartitions,
            ErrorCode::InvalidReplicationFactor,
        ]
        .map(Err)
    );
}

#[test]
fn a_topic_created_anew_has_another_id_and_none_of_the_old_records() {
    let mut node = Node::serving();
    let first = node.create("t", &[]);
    node.produce("t", plain(1), Acks::All);
    node.settle();
    let deletion = DeleteTopicsRequest { topics: vec![TopicRef::Name("t".into())], misnamed: Vec::new(), timeout_ms: 1000 };
    node.ask(Request::DeleteTopics(deletion));
    node.settle();
    assert_eq!(metadata(&mut node, "t", false).error, Some(ErrorCode::UnknownTopicOrPartition));
    assert_ne!(node.create("t", &[]), first);
    let id = node.produce("t", plain(1), Acks::All);
    node.settle();
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));
}

#[test]
fn a_deletion_ends_what_waits_on_the_topic() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let fetch = node.fetch("t", 0, 1, 60_000);
    let deletion = DeleteTopicsRequest { topics: vec![TopicRef::Name("t".into())], misnamed: Vec::new(), timeout_ms: 1000 };
    node.ask(Request::DeleteTopics(deletion));
    node.settle();
    assert_eq!(node.fetched(fetch).unwrap().error, Some(ErrorCode::UnknownTopicOrPartition));
}

#[test]
fn metadata_creates_what_it_may() {
    let mut node = Node::serving();
    assert_eq!(metadata(&mut node, "t", false).error, Some(ErrorCode::UnknownTopicOrPartition));
    let topic = metadata(&mut node, "t", true);
    assert_eq!((topic.error, topic.partitions.len()), (None, 1));
    assert_eq!(topic.partitions[0].leader, Some(NodeId(1)));
    assert_eq!(metadata(&mut node, "no such/name", true).error, Some(ErrorCode::InvalidTopicException));
}

#[test]
fn producer_ids_are_never_given_out_twice() {
    let request = InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 0, producer: None };
    let mut given = std::collections::BTreeSet::new();
    let mut node = Node::serving();
    for incarnation in 2..5 {
        for _ in 0..700 {
            let id = node.ask(Request::InitProducerId(request.clone()));
            node.settle();
            match node.answer(id) {
                Some(Response::InitProducerId(answer)) => assert!(given.insert(answer.result.unwrap().0)),
                other => panic!("{other:?}"),
            }
        }
        node = node.restarted(incarnation, true);
    }
    assert_eq!(given.len(), 2100);
}

#[test]
fn deleted_records_are_out_of_range() {
    let mut node = Node::serving();
    node.create("t", &[]);
    for _ in 0..3 {
        node.produce("t", plain(1), Acks::All);
    }
    node.settle();
    let topics = vec![("t".into(), vec![(PartitionIndex(0), Offset(2))])];
    let id = node.ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms: 1000 }));
    assert!(node.answer(id).is_none(), "not before it is durable");
    node.settle();
    match node.answer(id) {
        Some(Response::DeleteRecords(answer)) => assert_eq!(answer.topics[0].1, [(PartitionIndex(0), Ok(Offset(2)))]),
        other => panic!("{other:?}"),
    }
    let below = node.fetch("t", 1, 0, 0);
    assert_eq!(node.fetched(below).unwrap().error, Some(ErrorCode::OffsetOutOfRange));
    let at = node.fetch("t", 2, 0, 0);
    assert_eq!(node.fetched(at).unwrap().slice.unwrap().from, Offset(2));
}

#[test]
fn only_an_administrator_writes_to_the_brokers_own_topics() {
    let mut node = Node::serving();
    node.create("__consumer_offsets", &[]);
    assert!(metadata(&mut node, "__consumer_offsets", false).is_internal);
    let refused = node.produce("__consumer_offsets", plain(1), Acks::All);
    assert_eq!(node.produced(refused), Some(Err(ErrorCode::InvalidTopicException)));
    node.client_id = Some("__admin_client".into());
    let taken = node.produce("__consumer_offsets", plain(1), Acks::All);
    node.settle();
    assert_eq!(node.produced(taken), Some(Ok(Offset(0))));
    let topics = vec![("__consumer_offsets".into(), vec![(PartitionIndex(0), Offset(1))])];
    let id = node.ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms: 1000 }));
    let Some(Response::DeleteRecords(answer)) = node.answer(id) else { panic!("it is answered at once") };
    assert_eq!(answer.topics[0].1, [(PartitionIndex(0), Err(ErrorCode::InvalidTopicException))]);
}

#[test]
fn a_topic_named_twice_is_not_deleted() {
    let mut node = Node::serving();
    let id = node.create("t", &[]);
    let topics = vec![TopicRef::Name("t".into()), TopicRef::Id(id)];
    let asked = node.ask(Request::DeleteTopics(DeleteTopicsRequest { topics, misnamed: Vec::new(), timeout_ms: 1000 }));
    node.settle();
    let Some(Response::DeleteTopics(answer)) = node.answer(asked) else { panic!("it is answered") };
    assert_eq!(answer.topics.iter().map(|topic| topic.error.as_ref().unwrap().code).collect::<Vec<_>>(), [ErrorCode::InvalidRequest]);
    assert_eq!(metadata(&mut node, "t", false).error, None);
}

#[test]
fn one_request_creates_topics_up_to_a_bound_or_none() {
    let mut node = Node::serving();
    let large = |name: &str, partition_count| NewTopic { partition_count, ..topic(name) };
    let too_many = vec![large("a", 5_000), large("b", 5_000), large("c", -1), topic("sp ace")];
    assert_eq!(created(&mut node, too_many), [Err(ErrorCode::PolicyViolation); 4]);
    assert!(metadata(&mut node, "a", false).error.is_some());
    assert!(created(&mut node, vec![large("a", 5_000), large("b", 5_000)]).iter().all(Result::is_ok));
}

#[test]
fn one_request_creates_partitions_up_to_a_bound() {
    let mut node = Node::serving();
    for name in ["a", "b"] {
        node.create(name, &[]);
    }
    let more = |name: &str| MorePartitions { name: name.into(), partition_count: 6_001, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![more("a"), more("b")], timeout_ms: 1000, validate_only: false };
    let id = node.ask(Request::CreatePartitions(request));
    node.settle();
    let Some(Response::CreatePartitions(answer)) = node.answer(id) else { panic!("it is answered") };
    let errors: Vec<_> = answer.topics.iter().map(|(_, error)| error.as_ref().map(|error| error.code)).collect();
    assert_eq!(errors, [None, Some(ErrorCode::PolicyViolation)]);
}

fn described(node: &mut Node, topics: &[&str], cursor: Option<(&str, i32)>) -> Vec<(String, Option<ErrorCode>)> {
    let cursor = cursor.map(|(topic, partition)| TopicCursor { topic: topic.into(), partition: PartitionIndex(partition) });
    let topics = topics.iter().map(|name| (*name).into()).collect();
    let id = node.ask(Request::DescribeTopicPartitions(DescribeTopicPartitionsRequest { topics, partitions_max: 10, cursor }));
    let Some(Response::DescribeTopicPartitions(answer)) = node.answer(id) else { panic!("it is answered at once") };
    answer.topics.into_iter().map(|topic| (topic.name.unwrap().to_string(), topic.error)).collect()
}

#[test]
fn a_cursor_that_makes_no_sense_is_told_on_every_topic_that_is_named() {
    let mut node = Node::serving();
    node.create("a", &[]);
    node.create("b", &[]);
    let refused = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Some(ErrorCode::InvalidRequest))).collect::<Vec<_>>();
    assert_eq!(described(&mut node, &["b", "a"], Some(("a", -1))), refused(&["a", "b"]));
    assert_eq!(described(&mut node, &["b"], Some(("a", 0))), refused(&["b"]));
    assert_eq!(described(&mut node, &[], Some(("a", -1))), []);
    assert_eq!(described(&mut node, &[], Some(("a0", 0))), [("b".to_owned(), None)]);
    assert_eq!(described(&mut node, &["b", "a"], Some(("b", 0))), [("b".to_owned(), None)]);
}

#[test]
fn what_is_listed_can_be_described() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let id = node.ask(Request::ListConfigResources(ListConfigResourcesRequest { kinds: Vec::new() }));
    let Some(Response::ListConfigResources(answer)) = node.answer(id) else { panic!("it is answered at once") };
    let mut resources: Vec<_> = answer.result.unwrap().into_iter().map(|resource| (resource, None)).collect();
    assert_eq!(resources.len(), 2);
    resources.push((ConfigResource::ClientMetrics("never made".into()), None));
    let request = DescribeConfigsRequest { resources, include_synonyms: false, include_documentation: false };
    let id = node.ask(Request::DescribeConfigs(request));
    let Some(Response::DescribeConfigs(answer)) = node.answer(id) else { panic!("it is answered at once") };
    let entries: Vec<_> = answer.resources.into_iter().map(|(_, entries)| entries.unwrap().len()).collect();
    assert_eq!((entries[0] > 300, entries[1], entries[2]), (true, 34, 0));
}

/// Replicas are eligible (KIP-966) by one measure, whichever broker decides.
#[test]
fn how_many_have_to_be_in_sync_is_in_the_metadata_while_replicas_are_eligible() {
    const NAME: &str = "min.insync.replicas";
    let configs = BTreeMap::from([(NAME.to_owned(), "2".to_owned())]);
    let mut node = Node::with(BrokerSettings { configs, ..settings(1) }, Shelf::default(), Now { monotonic: Monotonic(0), wall: Timestamp(0) });
    node.settle();
    let of_all = ConfigResource::Broker(None);
    let held = |node: &mut Node| {
        let request = DescribeConfigsRequest { resources: vec![(of_all.clone(), None)], include_synonyms: false, include_documentation: false };
        let id = node.ask(Request::DescribeConfigs(request));
        let Some(Response::DescribeConfigs(answer)) = node.answer(id) else { panic!("it is answered at once") };
        let entries = answer.resources.into_iter().next().unwrap().1.unwrap();
        entries.into_iter().find(|entry| entry.name == NAME).and_then(|entry| entry.value)
    };
    assert_eq!(held(&mut node).as_deref(), Some("2"));
    let alter = |node: &mut Node, resource: ConfigResource, value: Option<&str>| {
        let operation = if value.is_some() { ConfigOperation::Set } else { ConfigOperation::Delete };
        let change = ConfigChange { name: NAME.into(), operation, value: value.map(str::to_owned) };
        let resources = vec![(resource, vec![change])];
        let id = node.ask(Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources, validate_only: false }));
        node.settle();
        let Some(Response::AlterConfigs(answer)) = node.answer(id) else { panic!("it is answered") };
        answer.resources.into_iter().next().unwrap().1.map(|error| error.code)
    };
    assert_eq!(alter(&mut node, ConfigResource::Broker(Some(NodeId(1))), Some("1")), Some(ErrorCode::InvalidConfig));
    assert_eq!(alter(&mut node, of_all.clone(), None), Some(ErrorCode::InvalidConfig));
    assert_eq!(alter(&mut node, of_all.clone(), Some("1")), None);
    assert_eq!(held(&mut node).as_deref(), Some("1"));
}

#[test]
fn a_topic_without_partitions_is_nowhere_on_the_disk() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let mut listed = |topics| {
        let id = node.ask(Request::DescribeLogDirs(DescribeLogDirsRequest { topics }));
        let Some(Response::DescribeLogDirs(answer)) = node.answer(id) else { panic!("it is answered at once") };
        answer.topics.len()
    };
    assert_eq!(listed(None), 1);
    assert_eq!(listed(Some(BTreeMap::from([("t".into(), [PartitionIndex(0)].into())]))), 1);
    assert_eq!(listed(Some(BTreeMap::from([("t".into(), [].into())]))), 0);
}

#[test]
fn nobody_creates_a_topic_by_the_name_of_the_metadata_log() {
    let mut node = Node::serving();
    assert_eq!(created(&mut node, vec![topic("__cluster_metadata")]), [Err(ErrorCode::TopicAuthorizationFailed)]);
    assert_eq!(metadata(&mut node, "__cluster_metadata", true).error, Some(ErrorCode::UnknownTopicOrPartition));
    assert_eq!(node.broker.view().image().topics.len(), 0);
}
