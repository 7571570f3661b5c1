//! Bytes that no client should send: the connection that sends them ends, and nothing else notices.

#![expect(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod support;

use gracchus_core::boundary::Lane;
use gracchus_core::ids::{IncarnationId, NodeId};
use gracchus_net::peer::{Answer, Hello, MAGIC, Refusal};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use support::{Broker, Client, frame, header};

/// Sends bytes on a new connection while another is served: the one ends, the other does not, and the log has a line.
fn ends_its_connection_alone(send: impl FnOnce(&mut Client)) {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut bystander = broker.connect();
    assert!(bystander.is_served());

    let mut client = broker.connect();
    send(&mut client);
    assert!(client.is_closed());

    assert!(bystander.is_served());
    let (code, log) = broker.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.lines().filter(|line| line.contains("closed the connection from 127.0.0.1")).count(), 1, "{log}");
}

#[test]
fn a_frame_of_2_gib() {
    ends_its_connection_alone(|client| client.send(&i32::MAX.to_be_bytes()));
}

#[test]
fn a_frame_of_negative_length() {
    ends_its_connection_alone(|client| client.send(&(-1i32).to_be_bytes()));
}

#[test]
fn a_frame_too_short_for_a_header() {
    ends_its_connection_alone(|client| client.send(&frame(&[0, 18, 0])));
}

#[test]
fn a_frame_of_no_bytes() {
    ends_its_connection_alone(|client| client.send(&frame(&[])));
}

#[test]
fn an_api_that_does_not_exist() {
    ends_its_connection_alone(|client| client.send(&frame(&header(999, 0, 1))));
}

#[test]
fn a_version_that_does_not_exist() {
    ends_its_connection_alone(|client| client.send(&frame(&header(3, 99, 1))));
}

#[test]
fn a_client_id_longer_than_its_frame() {
    ends_its_connection_alone(|client| {
        let lying = [&18i16.to_be_bytes()[..], &0i16.to_be_bytes(), &1i32.to_be_bytes(), &i16::MAX.to_be_bytes(), b"short"].concat();
        client.send(&frame(&lying));
    });
}

#[test]
fn an_array_longer_than_its_frame() {
    ends_its_connection_alone(|client| {
        // Metadata 1: an array of topic names that is said to have 2^31-1 of them.
        client.send(&frame(&[header(3, 1, 1), i32::MAX.to_be_bytes().to_vec()].concat()));
    });
}

#[test]
fn random_bytes_with_a_sound_length() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..20 {
        ends_its_connection_alone(|client| {
            let mut bytes = [0; 300];
            random.fill_bytes(&mut bytes);
            client.send(&frame(&bytes));
        });
    }
}

#[test]
fn a_request_that_ends_in_the_middle() {
    ends_its_connection_alone(|client| {
        let request = frame(&header(18, 0, 1));
        client.send(&request[..request.len() - 1]);
        client.finish();
    });
}

#[test]
fn a_request_that_is_held_back_half_sent_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let request = frame(&header(18, 0, 1));
    let mut holders: Vec<Client> = (0..50).map(|_| broker.connect()).collect();
    for holder in &mut holders {
        holder.send(&request[..6]);
    }
    assert!(broker.connect().is_served());

    for holder in &mut holders {
        holder.send(&request[6..]);
        assert!(holder.answer().starts_with(&1i32.to_be_bytes()), "what comes late is answered too");
    }
    assert_eq!(broker.stop().0, Some(0));
}

#[test]
fn large_frames_that_are_announced_and_never_come_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut holders: Vec<Client> = (0..50).map(|_| broker.connect()).collect();
    for holder in &mut holders {
        holder.send(&(90i32 << 20).to_be_bytes());
    }
    assert!(broker.connect().is_served());
}

#[test]
fn a_large_request_that_drips_leaves_its_room_to_those_that_hurry() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut dripping = broker.connect();
    dripping.send(&(30_i32 << 20).to_be_bytes());
    let drip = std::thread::spawn(move || {
        while dripping.try_send(&[0]).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    // An unknown request, large enough to need room: its connection is closed once it has been read.
    let mut hurrying = broker.connect();
    hurrying.send(&frame(&[header(999, 0, 1), vec![0; 200 << 10]].concat()));
    assert!(hurrying.is_closed());
    drip.join().unwrap();
    let (code, log) = broker.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopped coming"), "{log}");
}

#[test]
fn a_client_that_asks_much_and_reads_nothing_is_answered_one_request_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = broker.connect();
    for correlation_id in 0..50 {
        client.ask(18, 0, correlation_id, &[]);
    }
    for correlation_id in 0..50_i32 {
        assert_eq!(client.answer().get(..4), Some(&correlation_id.to_be_bytes()[..]));
    }
    assert_eq!(broker.stop().0, Some(0));
}

fn hello(cluster_id: &str) -> Hello {
    Hello {
        cluster_id: cluster_id.to_owned(),
        from: NodeId(2),
        incarnation: IncarnationId::default(),
        to: NodeId(1),
        lane: Lane::Control,
        at: None,
    }
}

#[test]
fn a_node_of_another_cluster_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut node = broker.connect();
    node.send(&hello("3KeQeJufRuSuguLntXMzEw").encode());
    let refusal = Refusal::OtherCluster(broker.said("cluster.id").to_owned());
    assert_eq!(Answer::decode(&node.answer()).unwrap(), Answer::Refused(refusal));
    assert!(node.is_closed());
    let (_, log) = broker.stop();
    assert_eq!(log.lines().filter(|line| line.contains("closed the connection of a node")).count(), 1, "{log}");
}

#[test]
fn what_no_node_says_ends_its_connection_alone() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let of_a_later_version = [&MAGIC[..], &frame(&[9, 9, 9])].concat();
    let endless = [&MAGIC[..], &[0x7f, 0xff, 0xff, 0xff]].concat();
    for bytes in [of_a_later_version, endless] {
        let mut node = broker.connect();
        node.send(&bytes);
        assert!(node.is_closed());
    }
    let mut node = broker.connect();
    node.send(&hello(broker.said("cluster.id")).encode());
    assert_eq!(Answer::decode(&node.answer()).unwrap(), Answer::Welcome);
    node.send(&frame(b"no message at all"));
    assert!(node.is_closed());
    assert!(broker.connect().is_served());
}
