//! What is named more than once in a request.

use super::*;
use crate::config::ConfigEntry;

fn by_name(name: &str) -> TopicRef {
    TopicRef::Name(name.into())
}

fn described(node: &mut Node, resources: Vec<(ConfigResource, Option<Vec<String>>)>) -> Vec<(ConfigResource, Vec<ConfigEntry>)> {
    let request = DescribeConfigsRequest { resources, include_synonyms: false, include_documentation: false };
    let id = node.ask(Request::DescribeConfigs(request));
    let Some(Response::DescribeConfigs(answer)) = node.answer(id) else { panic!("it is answered at once") };
    answer.resources.into_iter().map(|(resource, entries)| (resource, entries.unwrap())).collect()
}

#[test]
fn metadata_lists_a_topic_once_however_often_it_is_asked_for() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let topics = Some(vec![by_name("t"); 1_000]);
    let id = node.ask(Request::Metadata(MetadataRequest { topics, allow_auto_topic_creation: false }));
    let Some(Response::Metadata(answer)) = node.answer(id) else { panic!("it is answered at once") };
    assert_eq!(answer.topics.len(), 1);
}

#[test]
fn metadata_creates_a_topic_that_is_asked_for_twice() {
    let mut node = Node::serving();
    let topics = Some(vec![by_name("t"), by_name("t")]);
    let id = node.ask(Request::Metadata(MetadataRequest { topics, allow_auto_topic_creation: true }));
    node.settle();
    let Some(Response::Metadata(answer)) = node.answer(id) else { panic!("it is answered") };
    assert_eq!(answer.topics.iter().map(|topic| topic.error).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_resource_is_described_once_with_all_that_is_asked_of_it() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let broker = ConfigResource::Broker(Some(NodeId(1)));
    let topic = ConfigResource::Topic("t".into());
    let only = |name: &str| Some(vec![name.to_owned()]);
    let mut asked = vec![(broker.clone(), None); 1_000];
    asked.extend([(topic.clone(), only("retention.ms")), (topic.clone(), only("cleanup.policy")), (broker.clone(), only("node.id"))]);
    let described = described(&mut node, asked);
    assert_eq!(described.iter().map(|(resource, _)| resource).collect::<Vec<_>>(), [&broker, &topic]);
    assert!(described[0].1.len() > 300);
    assert_eq!(described[1].1.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["cleanup.policy", "retention.ms"]);
}

#[test]
fn offsets_of_a_partition_are_asked_for_once() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.create("u", &[]);
    let question = ListOffsetsPartition { partition: PartitionIndex(0), current_leader_epoch: None, spec: OffsetSpec::Latest };
    let topics = ["t", "u", "t"].map(|topic| (topic.into(), vec![question])).to_vec();
    let id = node.ask(Request::ListOffsets(ListOffsetsRequest { read_committed: false, topics, timeout_ms: 1000 }));
    let Some(Response::ListOffsets(answer)) = node.answer(id) else { panic!("it is answered at once") };
    let errors: Vec<_> = answer.topics.iter().map(|(_, listed)| listed[0].result.err()).collect();
    assert_eq!(errors, [Some(ErrorCode::InvalidRequest), None, Some(ErrorCode::InvalidRequest)]);
}
