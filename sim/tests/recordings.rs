//! Flight recorders on simulated nodes: whatever befalls them, what was recorded replays to the same hash.

use gracchus_server::recording::{Recording, RecordingError};
use gracchus_sim::plan::Plan;
use gracchus_sim::trace::Watch;
use gracchus_sim::world;

#[test]
fn every_process_of_a_run_is_replayed_to_the_hash_that_it_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan { duration_ms: 25_000, ..Plan::draw_for(3, 3) };
    let watch = Watch { recordings: Some(folder.path().to_owned()), ..Watch::all(drop) };
    let recorded = world::run(&plan, Some(watch));
    assert_eq!(recorded.hash, world::run(&plan, None).hash, "recording changes nothing");
    let (mut processes, mut steps, mut later) = (0, 0, 0);
    for entry in std::fs::read_dir(folder.path()).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let recording = match Recording::load(&path) {
            Ok(recording) => recording,
            // A process that was killed before its first step.
            Err(RecordingError::Empty) => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        later += usize::from(recording.checkpoint.steps > 0);
        let first = recording.checkpoint.steps;
        let replayed = recording.replay(|_, _| {}, |_, _, _, _| {});
        assert_eq!(replayed.differs_behind, None, "{}", path.display());
        processes += 1;
        steps += replayed.steps - first;
    }
    assert!(processes > 3, "some were started again: {processes}");
    assert!(steps > 3_000, "{steps}");
    assert!(later > 0, "one begins with the state of a process that has worked for a while");
}
