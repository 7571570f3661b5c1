//! What a producer asks to be acknowledged, and what becomes of it.

use std::thread;

use rdkafka::Offset;

use crate::broker::Broker;
use crate::reader::{assert_receives, assign, from_each};
use crate::records::{FIRST_MS, Record};
use crate::writer::{Delivered, Writer, all_delivered};

const RECORDS: usize = 1_000;

#[test]
fn unacknowledged_records_arrive_in_order() {
    // Without an answer the client knows no offset.
    arrive_in_order(&[("acks", "0")], |delivered| delivered.iter().all(|delivered| matches!(delivered, Ok(offset) if *offset < 0)));
}

#[test]
fn records_acknowledged_by_the_leader_arrive_in_order() {
    arrive_in_order(&[("acks", "1")], |delivered| delivered == all_delivered(RECORDS));
}

#[test]
fn records_acknowledged_by_all_replicas_arrive_in_order() {
    arrive_in_order(&[("acks", "all")], |delivered| delivered == all_delivered(RECORDS));
}

#[test]
fn records_of_an_idempotent_producer_arrive_in_order() {
    // Small batches, of which five may be on their way at a time.
    let settings = [("enable.idempotence", "true"), ("batch.num.messages", "10"), ("linger.ms", "0")];
    arrive_in_order(&settings, |delivered| delivered == all_delivered(RECORDS));
}

#[test]
fn idempotent_producers_write_to_one_partition_side_by_side() {
    let broker = Broker::start();
    let topic = broker.topic("side-by-side", 1);
    let mut offsets: Vec<i64> = thread::scope(|scope| {
        let writers = [(); 3].map(|()| {
            scope.spawn(|| {
                let writer = Writer::new(broker.client(), &[("enable.idempotence", "true"), ("batch.num.messages", "10")]);
                writer.send_to_first(&topic, records())
            })
        });
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).map(Result::unwrap).collect()
    });
    offsets.sort_unstable();
    assert!(offsets.into_iter().eq((0..).take(3 * RECORDS)), "each record has an offset of its own, and none is left out");
}

fn arrive_in_order(settings: &[(&str, &str)], as_expected: impl FnOnce(&[Delivered]) -> bool) {
    let broker = Broker::start();
    let topic = broker.topic("acks", 1);

    let delivered = Writer::new(broker.client(), settings).send_to_first(&topic, records());

    assert!(delivered.len() == RECORDS && as_expected(&delivered), "{delivered:?}");
    let consumer = broker.consumer();
    assign(&consumer, &topic, [Offset::Beginning]);
    assert_receives(&consumer, from_each(&vec![records()], |_| 0));
}

fn records() -> Vec<Record> {
    (0..RECORDS).map(|number| Record::plain(number.to_string(), FIRST_MS)).collect()
}
