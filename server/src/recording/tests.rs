use gracchus_core::boundary::{Effects, Input};
use gracchus_core::broker::{Broker, BrokerSettings};
use gracchus_core::ids::{DirectoryId, IncarnationId, NodeId, Uuid};
use gracchus_core::quorum::Voters;
use gracchus_core::record::Voter;
use gracchus_core::time::{Monotonic, Now, Timestamp};

use super::*;

fn broker() -> Broker {
    let directory = DirectoryId(Uuid([5; 16]));
    Broker::new(BrokerSettings {
        node: NodeId(1),
        cluster_id: "recorded".to_owned(),
        directory,
        incarnation: IncarnationId(Uuid([6; 16])),
        rack: None,
        is_broker: true,
        endpoints: Vec::new(),
        controllers: Default::default(),
        configs: Default::default(),
        log_directory: "data".to_owned(),
        was_unclean: false,
        voters: Voters::from_iter([Voter { node: NodeId(1), directory }]),
        features: Default::default(),
        seed: [7; 32],
    })
}

fn at(ms: u64) -> Now {
    Now { monotonic: Monotonic(ms * 1_000_000), wall: Timestamp(i64::try_from(ms).unwrap()) }
}

/// Records so many steps, and says what the hash was in the end.
fn record(path: &std::path::Path, bytes: u64, steps: u64) -> RunHash {
    let mut recorder = FlightRecorder::create(path, bytes, 1).unwrap();
    let (mut broker, mut effects) = (broker(), Effects::default());
    for step in 0..steps {
        let input = if step == 0 { Input::Start } else { Input::ControllersFound(vec![NodeId(2); 40]) };
        recorder.before(at(step), &input, &broker);
        effects.clear();
        broker.step(at(step), input, &mut effects);
        recorder.after(&effects);
    }
    recorder.hash()
}

fn replayed(path: &std::path::Path) -> (u64, super::reader::Replayed) {
    let recording = Recording::parse(&std::fs::read(path).unwrap()).unwrap();
    let first = recording.checkpoint.steps;
    (first, recording.replay(|_, _| {}, |_, _, _, _| {}))
}

#[test]
fn a_recording_is_replayed_to_the_same_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    let hash = record(&path, RECORD_BYTES_MIN, 200);
    let (first, replayed) = replayed(&path);
    assert_eq!((first, replayed.steps, replayed.differs_behind), (0, 200, None));
    assert_eq!(replayed.hash, hash);
}

#[test]
fn a_ring_keeps_a_state_and_what_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    let hash = record(&path, RECORD_BYTES_MIN, 30_000);
    let (first, replayed) = replayed(&path);
    assert!(first > 10_000, "it begins with a later state: {first}");
    assert!(replayed.steps - first > 1_000, "there is at least half a ring behind it");
    assert_eq!((replayed.steps, replayed.hash, replayed.differs_behind), (30_000, hash, None));
    assert!(std::fs::metadata(&path).unwrap().len() <= RECORD_BYTES_MIN);
}

#[test]
fn what_was_cut_off_in_the_middle_of_a_frame_ends_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    record(&path, RECORD_BYTES_MIN, 200);
    let mut content = std::fs::read(&path).unwrap();
    let end = content.iter().rposition(|byte| *byte != 0).unwrap();
    content.truncate(end - 3);
    let recording = Recording::parse(&content).unwrap();
    assert_eq!(recording.inputs.len(), 199);
    assert_eq!(recording.replay(|_, _| {}, |_, _, _, _| {}).differs_behind, None);
}

#[test]
fn another_state_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    record(&path, RECORD_BYTES_MIN, 50);
    let mut recording = Recording::parse(&std::fs::read(&path).unwrap()).unwrap();
    // As if this program did something else at the first step than the one that was recorded.
    recording.inputs[0].input = Input::Stop;
    assert_eq!(recording.replay(|_, _| {}, |_, _, _, _| {}).differs_behind, Some(1));
}

#[test]
fn the_recording_of_the_run_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    record(&path, RECORD_BYTES_MIN, 10);
    let before = std::fs::read(&path).unwrap();
    record(&path, RECORD_BYTES_MIN, 20);
    assert_eq!(std::fs::read(folder.path().join("recording.previous")).unwrap(), before);
}

#[test]
fn what_is_no_recording_is_refused() {
    assert!(matches!(Recording::parse(b"{}"), Err(RecordingError::NoRecording)));
    assert!(matches!(Recording::parse(&[MAGIC, b"{}\n"].concat()), Err(RecordingError::NoRecording)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    drop(FlightRecorder::create(&path, RECORD_BYTES_MIN, 1).unwrap());
    assert!(matches!(Recording::parse(&std::fs::read(&path).unwrap()), Err(RecordingError::Empty)));
}

#[test]
fn an_input_that_is_too_large_ends_the_recording_and_spoils_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    let mut recorder = FlightRecorder::create(&path, RECORD_BYTES_MIN, 1).unwrap();
    let (mut broker, mut effects) = (broker(), Effects::default());
    for step in 0..100 {
        let nodes = if step == 60 { 200_000 } else { 3 };
        let input = if step == 0 { Input::Start } else { Input::ControllersFound(vec![NodeId(2); nodes]) };
        recorder.before(at(step), &input, &broker);
        effects.clear();
        broker.step(at(step), input, &mut effects);
        recorder.after(&effects);
    }
    let (first, replayed) = replayed(&path);
    assert_eq!((replayed.steps, replayed.differs_behind), (60, None), "it begins with step {first}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), RECORD_BYTES_MIN);
}

#[test]
fn a_half_without_its_end_is_not_joined_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    record(&path, RECORD_BYTES_MIN, 2_500);
    let mut content = std::fs::read(&path).unwrap();
    let whole = Recording::parse(&content).unwrap();
    assert_eq!(whole.checkpoint.steps, 0, "both halves are there, and nothing more");
    // The last frames of the first half are gone.
    let half_bytes = usize::try_from(whole.header.half_bytes).unwrap();
    content[usize::try_from(HEADER_BYTES).unwrap() + half_bytes / 2..][..half_bytes / 2].fill(0);
    let recording = Recording::parse(&content).unwrap();
    assert!(recording.checkpoint.steps > 1_000, "{}", recording.checkpoint.steps);
    assert_eq!(recording.replay(|_, _| {}, |_, _, _, _| {}).steps, 2_500);
}

#[test]
fn a_start_that_comes_to_nothing_loses_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    record(&path, RECORD_BYTES_MIN, 10);
    for _ in 0..3 {
        drop(FlightRecorder::create(&path, RECORD_BYTES_MIN, 1).unwrap());
    }
    let previous = Recording::load(&folder.path().join("recording.previous")).unwrap();
    assert_eq!(previous.inputs.len(), 10);
}
