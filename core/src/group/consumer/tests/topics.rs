//! Topics appear, grow and vanish, and some are subscribed to by regular expressions.

use super::*;

fn by_pattern(id: &str, pattern: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { pattern: Some(pattern.to_owned()), topics: None, ..joining(id, &[]) }
}

#[test]
fn a_topic_that_appears_grows_and_vanishes_is_followed() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders", "bills"]));
    let epochs = |rig: &Rig| rig.group().epoch.0;
    assert_eq!((epochs(&rig), first.owned.len()), (1, 6));
    rig.create("bills", 2);
    rig.settle(&mut [&mut first]);
    assert_eq!((epochs(&rig), first.owned.len()), (2, 8));
    rig.create("bills", 3);
    rig.settle(&mut [&mut first]);
    assert_eq!((epochs(&rig), first.owned.len()), (3, 9));
    rig.delete("orders");
    rig.settle(&mut [&mut first]);
    rig.beat(&mut first);
    assert_eq!((epochs(&rig), &first.owned), (4, &partitions("bills", 0..3)));
    rig.create("elsewhere", 3);
    rig.settle(&mut [&mut first]);
    assert_eq!(epochs(&rig), 4, "nobody subscribes to it");
}

#[test]
fn an_expression_is_matched_when_it_comes_and_when_topics_change() {
    let mut rig = Rig::new();
    rig.create("orders-eu", 2);
    let mut first = rig.join(&by_pattern("one", "orders-.*"));
    assert_eq!(first.owned, partitions("orders-eu", 0..2));
    rig.create("orders-us", 1);
    rig.settle(&mut [&mut first]);
    assert_eq!(first.owned.len(), 3);
    rig.delete("orders-eu");
    rig.settle(&mut [&mut first]);
    rig.beat(&mut first);
    assert_eq!(first.owned, partitions("orders-us", 0..1));
    rig.create("bills", 1);
    let epoch = rig.group().epoch;
    rig.beat(&mut first);
    assert_eq!(rig.group().epoch, epoch);
}

#[test]
fn names_and_expressions_add_up() {
    let mut rig = Rig::new();
    rig.create("bills", 2);
    let both = ConsumerGroupHeartbeatRequest { pattern: Some("b.*".to_owned()), ..joining("one", &["orders"]) };
    let mut first = rig.join(&both);
    assert_eq!(first.owned.len(), 8);
    // An empty one takes it back.
    rig.ask(&ConsumerGroupHeartbeatRequest { pattern: Some(String::new()), ..bare("one", 1) }).unwrap();
    first.owned = partitions("orders", 0..6);
    rig.settle(&mut [&mut first]);
    assert_eq!(first.owned.len(), 6);
    assert!(rig.group().patterns.is_empty(), "nobody uses it");
    assert!(rig.successor(true).group().patterns.is_empty());
}

#[test]
fn what_is_no_expression_is_refused() {
    let mut rig = Rig::new();
    let refused = rig.ask(&by_pattern("one", "[")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRegularExpression);
    assert!(refused.message.unwrap().starts_with("SubscribedTopicRegex `[` is not a valid regular expression: "));
    assert!(rig.groups.get("readers").is_none());
}

#[test]
fn an_expression_goes_with_the_last_who_uses_it() {
    let mut rig = Rig::new();
    rig.join(&by_pattern("one", "o.*"));
    let mut second = rig.join(&joining("two", &["orders"]));
    assert_eq!(rig.group().patterns.len(), 1);
    rig.ask(&bare("one", -1)).unwrap();
    rig.settle(&mut [&mut second]);
    assert!(rig.group().patterns.is_empty());
    assert_eq!(second.owned.len(), 6);
}

#[test]
fn expressions_of_those_who_are_gone_do_not_count() {
    let mut rig = Rig::new();
    let most = crate::limits::GROUP_PATTERNS_MAX;
    for at in 0..most {
        rig.join(&by_pattern(&format!("m{at}"), &format!("o{at}")));
    }
    assert_eq!(rig.refusal(&by_pattern("late", "b.*")), ErrorCode::InvalidRequest);
    rig.join(&by_pattern("late", "o0"));
    rig.ask(&bare("m1", -1)).unwrap();
    rig.join(&by_pattern("late", "b.*"));
}

/// What is known of it is left as it is until topics change, whoever comes and goes.
#[test]
fn an_expression_is_matched_once_for_all_who_use_it() {
    let mut rig = Rig::new();
    rig.join(&by_pattern("one", "o.*"));
    rig.image.topic_ids.insert(TopicName::from("other"), topic_id("other"));
    rig.join(&by_pattern("two", "o.*"));
    rig.join(&by_pattern("three", "ot.*"));
    rig.ask(&bare("three", -1)).unwrap();
    rig.join(&joining("four", &["orders"]));
    assert_eq!(rig.group().patterns, BTreeMap::from([("o.*".to_owned(), [TopicName::from("orders")].into())]));
    rig.groups.topics_changed(&[TopicName::from("other")].into());
    rig.ask(&bare("one", 1)).unwrap();
    assert_eq!(rig.group().patterns["o.*"].len(), 2);
}

#[test]
fn what_is_subscribed_to_is_what_members_say() {
    let mut rig = Rig::new();
    let subscribed = |rig: &Rig| rig.group().subscribed().into_iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    rig.join(&joining("one", &["orders", "bills"]));
    rig.join(&joining("two", &["bills"]));
    rig.join(&by_pattern("three", "ord.*"));
    assert_eq!(subscribed(&rig), ["bills", "orders"]);
    rig.ask(&ConsumerGroupHeartbeatRequest { topics: Some(Vec::new()), ..bare("one", 1) }).unwrap();
    assert_eq!(subscribed(&rig), ["bills", "orders"]);
    rig.ask(&bare("two", -1)).unwrap();
    assert_eq!(subscribed(&rig), ["orders"]);
    rig.ask(&bare("three", -1)).unwrap();
    assert_eq!(subscribed(&rig), [""; 0]);
    assert_eq!(rig.successor(true).group().interest, rig.group().interest);
}
