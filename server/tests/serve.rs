//! `gracchus serve`, driven from outside over bare sockets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't go on panics")]

mod support;

use std::process::Output;

use rustix::process::Signal;
use support::{Broker, frame, header, run, text};

const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The APIs of an ApiVersions answer of version 0: key, oldest and latest version.
fn listed(answer: &[u8]) -> Vec<(i16, i16, i16)> {
    let count = usize::try_from(i32_at(answer, 6)).unwrap();
    assert_eq!(answer.len(), 10 + 6 * count);
    (0..count).map(|row| 10 + 6 * row).map(|at| (i16_at(answer, at), i16_at(answer, at + 2), i16_at(answer, at + 4))).collect()
}

/// How a broker ended that did not start, and its one line about it: what else it logged has a time before it.
fn failed(output: Output) -> (Option<i32>, String) {
    let log = text(output.stderr);
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("gracchus: ")).collect();
    let [failure] = lines.as_slice() else { panic!("not one line: {log}") };
    (output.status.code(), (*failure).to_owned())
}

#[test]
fn the_ready_line_names_what_was_bound() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let words: Vec<&str> = broker.ready_line.split(' ').map(|word| word.split_once('=').map_or(word, |(name, _)| name)).collect();
    assert_eq!(words, ["gracchus", "0.1.0", "is", "ready:", "listeners", "http", "data", "node.id", "cluster.id"]);
    assert!(broker.connect().is_served());
    assert_eq!(broker.http("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(broker.http("/readyz"), (200, "ready\n".to_owned()));
}

#[test]
fn api_versions_0_lists_what_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = broker.connect();
    client.ask(API_VERSIONS, 0, 7, &[]);
    let answer = client.answer();
    assert_eq!((i32_at(&answer, 0), i16_at(&answer, 4)), (7, 0));
    let listed = listed(&answer);
    assert!(listed.contains(&(0, 0, 13)), "Produce, from 0 though 0 to 2 are refused (KAFKA-18659): {listed:?}");
    assert!(listed.contains(&(1, 4, 18)), "Fetch: {listed:?}");
}

#[test]
fn api_versions_3_is_answered_with_a_header_without_tagged_fields() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = broker.connect();
    // Tagged fields of the header, client software name and version as compact strings, tagged fields of the body.
    let name = b"\x00\x04raw\x041.0\x00";
    client.ask(API_VERSIONS, 3, 8, name);
    let answer = client.answer();
    assert_eq!((i32_at(&answer, 0), i16_at(&answer, 4)), (8, 0), "the error follows the correlation id at once");
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_as_version_0() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = broker.connect();
    client.ask(API_VERSIONS, 99, 9, b"whatever version 99 may hold");
    let answer = client.answer();
    assert_eq!((i32_at(&answer, 0), i16_at(&answer, 4)), (9, UNSUPPORTED_VERSION));
    assert!(!listed(&answer).is_empty());
    assert!(client.is_served(), "the client asks again with a version that is listed");
}

#[test]
fn requests_in_one_write_are_answered_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = broker.connect();
    let requests: Vec<u8> = (0..500).flat_map(|id| frame(&header(API_VERSIONS, if id % 3 == 0 { 99 } else { 0 }, id))).collect();
    client.send(&requests);
    for id in 0..500 {
        assert_eq!(i32_at(&client.answer(), 0), id);
    }
}

#[test]
fn a_request_may_come_a_byte_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = broker.connect();
    for byte in frame(&header(API_VERSIONS, 0, 3)) {
        client.send(&[byte]);
    }
    assert_eq!(i32_at(&client.answer(), 0), 3);
}

#[test]
fn sigterm_and_ctrl_c_stop_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(&folder);
        let mut client = broker.connect();
        assert!(client.is_served());
        broker.signal(signal);
        assert!(client.is_closed());
        let (code, log) = broker.ended();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn a_port_that_is_taken_is_one_line_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let other = tempfile::tempdir().unwrap();
    let (code, failure) = failed(run(&other, broker.address()));
    assert_eq!(code, Some(1));
    assert!(failure.contains(broker.address()), "{failure}");
}

#[test]
fn a_folder_that_another_process_uses_is_one_line_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let _broker = Broker::start(&folder);
    let (code, failure) = failed(run(&folder, "127.0.0.1:0"));
    assert_eq!(code, Some(1));
    assert!(failure.contains("another process"), "{failure}");
}

#[test]
fn what_a_node_counts_is_there_for_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = broker.connect();
    assert!(client.is_served());
    let (status, metrics) = broker.http("/metrics");
    assert_eq!(status, 200);
    for line in [
        "gracchus_connections 1",
        "gracchus_compactions_total 0",
        "gracchus_group_offsets 0",
        "gracchus_request_seconds_count{api=\"ApiVersions\"} 1",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_one_line_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "a file where the folder should be").unwrap();
    let (code, failure) = failed(run(&folder, "127.0.0.1:0"));
    assert_eq!(code, Some(1));
    assert!(failure.contains("data"), "{failure}");
}
