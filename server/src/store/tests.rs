//! The store on a real folder, through its public verbs.

mod begun_anew;
mod compaction;
mod damage;
mod metadata_snapshots;
mod set_aside;
mod shares;

use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gracchus_core::boundary::{
    Durability, ElectionState, Generation, LogSettings, LogSlice, Payload, ReadFailure, Recovered, SearchId, StorageDone, StorageError,
    StorageOp, TimeTarget, Void,
};
use gracchus_core::epoch::{LeaderEpoch, QuorumEpoch};
use gracchus_core::ids::{DirectoryId, LogId, NodeId, PartitionIndex, TopicId, TopicName, TopicPartition, Uuid};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchHeader, Voter, check_crc};
use gracchus_core::time::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Share, Store, StoreSettings, keeper_of, spread};
use crate::platform::real::Real;
use crate::platform::{Disk, FileOf, Platform};

const LOG: LogId = LogId::Partition(TopicPartition { topic: TopicId(Uuid([7; 16])), partition: PartitionIndex(0) });

/// A store on a folder of its own, which goes when the test ends.
struct Rig {
    folder: PathBuf,
    platform: Real,
    store: Store<Real>,
    done: UnboundedReceiver<StorageDone>,
    log: LogId,
    generation: Generation,
    end: Offset,
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn settings(durability: Durability) -> LogSettings {
    LogSettings { durability, segment_bytes_max: 1_000, segment_age_max_ms: i64::MAX, index_interval_bytes: 100, file_delete_delay_ms: 0 }
}

impl Rig {
    async fn start(name: &str) -> Self {
        Self::start_with(name, StoreSettings::default()).await
    }

    async fn start_with(name: &str, settings: StoreSettings) -> Self {
        let folder = std::env::temp_dir().join(format!("gracchus-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (platform, store, done) = start(&folder, settings).await;
        Self { folder, platform, store, done, log: LOG, generation: Generation(0), end: Offset(0) }
    }

    async fn restart(&mut self) {
        self.store.stop(true).await;
        let elsewhere = self.folder.with_extension("elsewhere");
        std::fs::create_dir_all(&elsewhere).unwrap();
        // The old platform has to go before its lock does.
        (self.platform, self.store, self.done) = start(&elsewhere, StoreSettings::default()).await;
        (self.platform, self.store, self.done) = start(&self.folder, StoreSettings::default()).await;
        std::fs::remove_dir_all(&elsewhere).unwrap();
    }

    async fn open(&mut self, durability: Durability) -> Recovered {
        self.store.submit(StorageOp::Open { log: self.log, topic: TopicName::from("t"), settings: settings(durability) });
        let opened = self.until(|done| if let StorageDone::Opened { recovered, .. } = done { Some(recovered.clone()) } else { None });
        let recovered = opened.await;
        self.generation = recovered.generation;
        self.end = recovered.log_end;
        recovered
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(&StorageDone) -> Option<T>) -> T {
        loop {
            let done = self.done.recv().await.expect("the store is there");
            if let Some(wanted) = wanted(&done) {
                return wanted;
            }
            assert!(!matches!(done, StorageDone::Failed { .. }), "{done:?}");
        }
    }

    /// Why the next log fails that does.
    async fn failed(&mut self) -> StorageError {
        loop {
            let done = self.done.recv().await.expect("the store is there");
            if let StorageDone::Failed { error, .. } = done {
                return error;
            }
            assert!(!matches!(done, StorageDone::Opened { .. }), "{done:?}");
        }
    }

    /// Appends a batch of `records` records, with timestamps ten times their offsets.
    fn append(&mut self, records: i64) {
        let mut builder = BatchBuilder::new(self.end, LeaderEpoch(3));
        for record in 0..records {
            builder.append(Timestamp((self.end.0 + record) * 10), None, Some(b"a value of some length"), &[]);
        }
        self.append_batch(builder.build());
    }

    fn append_batch(&mut self, batch: Bytes) {
        self.append_followed(batch, true);
    }

    fn append_followed(&mut self, batch: Bytes, has_followers: bool) {
        let header = BatchHeader::parse(&batch).unwrap();
        self.end = header.next_offset();
        self.store.submit(StorageOp::Append { log: self.log, header, payload: Payload::new(batch), has_followers });
    }

    async fn synced(&mut self) {
        let end = self.end;
        self.until(|done| matches!(done, StorageDone::Synced { end_offset, .. } if *end_offset >= end).then_some(())).await;
    }

    /// Base offsets of the batches that a read of `from` gets.
    async fn read(&self, from: i64, bytes_max: u32) -> Result<Vec<i64>, ReadFailure> {
        let slice = LogSlice { log: self.log, generation: self.generation, from: Offset(from), upto: self.end, bytes_max };
        let mut resolved = self.store.resolve(&[slice], Share::First(u32::MAX)).await;
        let mut bases = Vec::new();
        for (file, range) in resolved.remove(0)? {
            let bytes = content(&self.platform, file, range).await;
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let header = BatchHeader::parse(rest).unwrap();
                check_crc(rest).unwrap();
                bases.push(header.base_offset.0);
                rest = &rest[usize::try_from(header.batch_bytes).unwrap()..];
            }
        }
        Ok(bases)
    }

    async fn find(&mut self, target: TimeTarget) -> Option<(i64, i64)> {
        let upto = self.end;
        self.store.submit(StorageOp::Find { log: LOG, search: SearchId(5), target, upto });
        let found = self.until(|done| if let StorageDone::Found { found, .. } = done { Some(found.clone()) } else { None });
        found.await.unwrap().map(|record| (record.offset.0, record.timestamp.0))
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join("t-0")) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

async fn start(folder: &Path, settings: StoreSettings) -> (Real, Store<Real>, UnboundedReceiver<StorageDone>) {
    // The tasks of a store that was stopped hold the lock until they have ended.
    for _ in 0..1_000 {
        let platform = Real::new(folder.to_owned(), false);
        match Store::start(platform.clone(), settings).await {
            Ok((store, done)) => return (platform, store, done),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the lock was not given back");
}

async fn content(platform: &Real, file: FileOf<Real>, range: Range<u64>) -> Bytes {
    let (answer, read) = tokio::sync::oneshot::channel();
    platform.spawn_disk("test", move |disk| async move {
        let length = usize::try_from(range.end - range.start).unwrap();
        let _ = answer.send(disk.read_at(&file, range.start, length).await.unwrap());
    });
    read.await.unwrap()
}

fn offsets(from: i64, upto: i64) -> Vec<i64> {
    (from..upto).step_by(5).collect()
}

#[tokio::test]
async fn a_partition_without_records_owns_no_file() {
    let mut rig = Rig::start("empty").await;
    let recovered = rig.open(Durability::Flushed).await;
    assert_eq!((recovered.log_start, recovered.log_end, recovered.sealed.len()), (Offset(0), Offset(0), 0));
    assert_eq!(rig.names(), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_appended_is_read_from_memory_and_from_disk_alike() {
    for durability in [Durability::Flushed, Durability::Replicated] {
        let mut rig = Rig::start("read").await;
        rig.open(durability).await;
        for _ in 0..100 {
            rig.append(5);
        }
        rig.synced().await;
        assert_eq!(rig.read(0, u32::MAX).await.unwrap(), offsets(0, 500));
        assert_eq!(rig.read(250, u32::MAX).await.unwrap(), offsets(250, 500));
        rig.restart().await;
        let recovered = rig.open(durability).await;
        assert_eq!((recovered.log_end, recovered.torn_bytes, recovered.damaged), (Offset(500), 0, false));
        assert_eq!(recovered.tail.len(), 100);
        assert_eq!(recovered.epochs.len(), 1);
        for from in [0, 3, 5, 250, 254, 499] {
            assert_eq!(rig.read(from, u32::MAX).await.unwrap(), offsets(from / 5 * 5, 500), "from {from}");
            assert_eq!(rig.read(from, 1).await.unwrap(), [from / 5 * 5], "from {from}");
        }
        rig.append(5);
        rig.synced().await;
        assert_eq!(rig.read(490, u32::MAX).await.unwrap(), [490, 495, 500]);
    }
}

#[tokio::test]
async fn what_is_written_is_told_before_it_is_on_disk_where_that_is_of_use() {
    use Durability::{Flushed, Replicated};
    for (durability, has_followers, is_told) in [(Flushed, false, false), (Flushed, true, true), (Replicated, false, true)] {
        let mut rig = Rig::start("told").await;
        rig.open(durability).await;
        let mut builder = BatchBuilder::new(rig.end, LeaderEpoch(3));
        builder.append(Timestamp(7), None, Some(b"a value"), &[]);
        rig.append_followed(builder.build(), has_followers);
        rig.store.submit(StorageOp::Sync { log: LOG });
        let mut was_told = false;
        rig.until(|done| {
            was_told |= matches!(done, StorageDone::Written { .. });
            matches!(done, StorageDone::Synced { .. }).then_some(())
        })
        .await;
        assert_eq!(was_told, is_told, "{durability:?}, followers: {has_followers}");
    }
}

#[tokio::test]
async fn what_comes_behind_a_log_that_is_opened_again_is_not_forgotten() {
    let mut rig = Rig::start("reopened").await;
    rig.open(Durability::Replicated).await;
    rig.append(5);
    rig.store.submit(StorageOp::Truncate { log: LOG, to: Offset(0) });
    rig.store.submit(StorageOp::Open { log: LOG, topic: TopicName::from("t"), settings: settings(Durability::Replicated) });
    rig.store.submit(StorageOp::Configure { log: LOG, settings: settings(Durability::Flushed) });
    rig.until(|done| matches!(done, StorageDone::Opened { .. }).then_some(())).await;
    rig.end = Offset(0);
    rig.append(5);
    let mut builder = BatchBuilder::new(rig.end, LeaderEpoch(3));
    builder.append(Timestamp(7), None, Some(b"a value"), &[]);
    rig.append_followed(builder.build(), false);
    rig.until(|done| {
        assert!(!matches!(done, StorageDone::Written { end_offset: Offset(6), .. }), "each write is synced");
        matches!(done, StorageDone::Synced { end_offset: Offset(6), .. }).then_some(())
    })
    .await;
}

#[tokio::test]
async fn recovery_reads_only_what_lies_behind_the_snapshot() {
    let mut rig = Rig::start("snapshot").await;
    rig.open(Durability::Flushed).await;
    for _ in 0..60 {
        rig.append(5);
    }
    let upto = rig.end;
    rig.store.submit(StorageOp::KeepSnapshot { log: LOG, upto, producers: Bytes::from_static(b"mine") });
    rig.until(|done| matches!(done, StorageDone::SnapshotKept { .. }).then_some(())).await;
    for _ in 0..7 {
        rig.append(5);
    }
    rig.synced().await;
    rig.restart().await;
    let recovered = rig.open(Durability::Flushed).await;
    assert_eq!(recovered.snapshot, Some((upto, Bytes::from_static(b"mine"))));
    assert_eq!(recovered.tail.len(), 7);
    assert_eq!(recovered.log_end, Offset(335));
    assert_eq!(rig.read(0, u32::MAX).await.unwrap(), offsets(0, 335));
    assert!(rig.names().contains(&"00000000000000000300.snapshot".to_owned()));
    assert!(rig.names().contains(&"leader-epoch-checkpoint".to_owned()));
}

#[tokio::test]
async fn truncation_voids_what_was_decided_before_and_keeps_what_lies_below() {
    let mut rig = Rig::start("truncate").await;
    rig.open(Durability::Flushed).await;
    for _ in 0..40 {
        rig.append(5);
    }
    rig.synced().await;
    let before = LogSlice { log: LOG, generation: rig.generation, from: Offset(0), upto: rig.end, bytes_max: u32::MAX };
    let (file, range) = rig.store.resolve(&[before], Share::First(u32::MAX)).await.remove(0).unwrap().remove(0);
    let shown = content(&rig.platform, file.clone(), range.clone()).await;
    for to in [120, 10, 0] {
        rig.store.submit(StorageOp::Truncate { log: LOG, to: Offset(to) });
        let generation = rig.until(|done| {
            if let StorageDone::Truncated { end_offset, generation, .. } = done {
                (*end_offset == Offset(to)).then_some(*generation)
            } else {
                None
            }
        });
        assert!(generation.await > rig.generation);
        assert_eq!(rig.store.resolve(&[before], Share::First(u32::MAX)).await.remove(0).unwrap_err(), ReadFailure::Void(Void::Truncated));
        rig.restart().await;
        assert_eq!(rig.open(Durability::Flushed).await.log_end, Offset(to));
        rig.append(5);
        rig.synced().await;
        assert_eq!(rig.read(0, u32::MAX).await.unwrap(), offsets(0, to + 5));
    }
    assert_eq!(content(&rig.platform, file, range).await, shown, "bytes that were shown stay");
}

#[tokio::test]
async fn trimming_drops_whole_segments_and_is_remembered() {
    let mut rig = Rig::start("trim").await;
    rig.open(Durability::Replicated).await;
    for _ in 0..40 {
        rig.append(5);
    }
    for log_start in [103, 200] {
        rig.store.submit(StorageOp::Trim { log: LOG, log_start: Offset(log_start) });
        rig.until(|done| matches!(done, StorageDone::Trimmed { log_start: Offset(start), .. } if *start == log_start).then_some(())).await;
        let void = Void::Trimmed { log_start: Offset(log_start) };
        assert_eq!(rig.read(log_start - 1, u32::MAX).await, Err(ReadFailure::Void(void)));
        assert_eq!(rig.read(log_start, u32::MAX).await.unwrap(), offsets(log_start / 5 * 5, 200));
        rig.restart().await;
        let recovered = rig.open(Durability::Replicated).await;
        assert_eq!((recovered.log_start, recovered.log_end, recovered.damaged), (Offset(log_start), Offset(200), false));
    }
    assert!(!rig.names().iter().any(|name| name.ends_with(".log")), "{:?}", rig.names());
    rig.append(5);
    rig.synced().await;
    assert_eq!(rig.read(200, u32::MAX).await.unwrap(), [200]);
}

#[tokio::test]
async fn a_read_that_races_a_trim_is_void_and_no_fault_of_the_disk() {
    let mut rig = Rig::start_with("race", StoreSettings { tail_batches_max: 1, ..StoreSettings::default() }).await;
    rig.open(Durability::Flushed).await;
    for _ in 0..400 {
        rig.append(5);
    }
    rig.synced().await;
    let slice = |from| LogSlice { log: LOG, generation: rig.generation, from: Offset(from), upto: rig.end, bytes_max: u32::MAX };
    for log_start in (50..2_000).step_by(50) {
        rig.store.submit(StorageOp::Trim { log: LOG, log_start: Offset(log_start) });
        let failure = loop {
            if let Err(failure) = rig.store.resolve(&[slice(log_start - 50)], Share::First(u32::MAX)).await.remove(0) {
                break failure;
            }
        };
        assert_eq!(failure, ReadFailure::Void(Void::Trimmed { log_start: Offset(log_start) }));
    }
}

#[tokio::test]
async fn records_are_found_by_their_time() {
    let mut rig = Rig::start("find").await;
    rig.open(Durability::Flushed).await;
    assert_eq!(rig.find(TimeTarget::Max).await, None);
    for _ in 0..40 {
        rig.append(5);
    }
    rig.synced().await;
    assert_eq!(rig.find(TimeTarget::AtLeast(Timestamp(0))).await, Some((0, 0)));
    assert_eq!(rig.find(TimeTarget::AtLeast(Timestamp(931))).await, Some((94, 940)));
    assert_eq!(rig.find(TimeTarget::AtLeast(Timestamp(1_990))).await, Some((199, 1_990)));
    assert_eq!(rig.find(TimeTarget::AtLeast(Timestamp(1_991))).await, None);
    assert_eq!(rig.find(TimeTarget::Max).await, Some((199, 1_990)));
}

#[tokio::test]
async fn records_are_found_by_their_time_where_the_log_starts_inside_a_batch() {
    let mut rig = Rig::start("find-inside").await;
    rig.open(Durability::Flushed).await;
    // The largest timestamp of all is that of the first record.
    let mut builder = BatchBuilder::new(Offset(0), LeaderEpoch(3));
    for timestamp in [900, 100, 200, 300, 200] {
        builder.append(Timestamp(timestamp), None, Some(b"value"), &[]);
    }
    rig.append_batch(builder.build());
    rig.store.submit(StorageOp::Trim { log: LOG, log_start: Offset(2) });
    rig.until(|done| matches!(done, StorageDone::Trimmed { .. }).then_some(())).await;
    assert_eq!(rig.find(TimeTarget::AtLeast(Timestamp(0))).await, Some((2, 200)));
    assert_eq!(rig.find(TimeTarget::AtLeast(Timestamp(201))).await, Some((3, 300)));
    assert_eq!(rig.find(TimeTarget::AtLeast(Timestamp(301))).await, None);
    assert_eq!(rig.find(TimeTarget::Max).await, Some((3, 300)));
}

#[tokio::test]
async fn internal_logs_are_read_in_whole_checked_batches() {
    let mut rig = Rig::start("internal").await;
    rig.open(Durability::Flushed).await;
    for _ in 0..10 {
        rig.append(5);
    }
    let upto = rig.end;
    rig.store.submit(StorageOp::Read { log: LOG, from: Offset(12), upto, bytes_max: 1 });
    let batches = rig.until(|done| if let StorageDone::Read { batches, .. } = done { Some(batches.clone()) } else { None });
    let batches = batches.await;
    assert_eq!(batches.len(), 1);
    assert_eq!(BatchHeader::parse(&batches[0]).unwrap().base_offset, Offset(10));
}

#[tokio::test]
async fn a_removed_log_is_gone_and_its_name_is_free() {
    let mut rig = Rig::start("remove").await;
    rig.open(Durability::Flushed).await;
    rig.append(5);
    rig.store.submit(StorageOp::Remove { log: LOG });
    rig.until(|done| matches!(done, StorageDone::Removed { .. }).then_some(())).await;
    assert_eq!(rig.read(0, 100).await, Err(ReadFailure::Void(Void::Closed)));
    assert_eq!(rig.names(), Vec::<String>::new());
    assert_eq!(rig.open(Durability::Flushed).await.log_end, Offset(0));
}

#[tokio::test]
async fn a_folder_of_an_earlier_topic_of_that_name_is_taken_away() {
    let mut rig = Rig::start("stale").await;
    rig.open(Durability::Flushed).await;
    rig.append(5);
    rig.synced().await;
    rig.restart().await;
    let newer = LogId::Partition(TopicPartition { topic: TopicId(Uuid([8; 16])), partition: PartitionIndex(0) });
    rig.store.submit(StorageOp::Open { log: newer, topic: TopicName::from("t"), settings: settings(Durability::Flushed) });
    let end =
        rig.until(|done| if let StorageDone::Opened { log, recovered } = done { (*log == newer).then_some(recovered.log_end) } else { None });
    assert_eq!(end.await, Offset(0));
    assert_eq!(rig.names(), Vec::<String>::new());
}

#[tokio::test]
async fn the_vote_outlives_the_process() {
    let mut rig = Rig::start("vote").await;
    let vote =
        ElectionState { quorum_epoch: QuorumEpoch(4), voted_for: Some(Voter { node: NodeId(1), directory: DirectoryId(Uuid([1; 16])) }) };
    rig.store.submit(StorageOp::LoadElection);
    assert_eq!(rig.until(|done| if let StorageDone::Election(state) = done { Some(state.clone()) } else { None }).await, None);
    rig.store.submit(StorageOp::KeepElection(vote.clone()));
    rig.until(|done| matches!(done, StorageDone::ElectionKept(_)).then_some(())).await;
    rig.restart().await;
    rig.store.submit(StorageOp::LoadElection);
    assert_eq!(rig.until(|done| if let StorageDone::Election(state) = done { Some(state.clone()) } else { None }).await, Some(vote));
}

#[tokio::test]
async fn a_gap_in_what_was_written_before_the_log_was_flushed_is_no_damage() {
    for (written_as, is_damage) in [(Durability::Replicated, false), (Durability::Flushed, true)] {
        let mut rig = Rig::start(&format!("gap-{is_damage}")).await;
        rig.open(written_as).await;
        (0..60).for_each(|_| rig.append(1));
        rig.store.submit(StorageOp::Sync { log: LOG });
        rig.synced().await;
        let segments: Vec<String> = rig.names().into_iter().filter(|name| name.ends_with(".log")).collect();
        // As if the power had taken the end of a segment, and not the next one.
        let second = std::fs::OpenOptions::new().write(true).open(rig.folder.join("t-0").join(&segments[1])).unwrap();
        second.set_len(second.metadata().unwrap().len() / 2).unwrap();
        rig.store.stop(true).await;
        std::fs::remove_file(rig.folder.join(".clean-shutdown")).unwrap();
        rig.restart().await;
        let recovered = rig.open(Durability::Flushed).await;
        assert_eq!(recovered.damaged, is_damage);
    }
}

#[tokio::test]
async fn a_gap_is_damage_again_once_a_log_is_flushed_that_was_not() {
    let mut rig = Rig::start("gap-later").await;
    rig.open(Durability::Replicated).await;
    rig.append(1);
    rig.store.submit(StorageOp::Configure { log: LOG, settings: settings(Durability::Flushed) });
    (0..60).for_each(|_| rig.append(1));
    rig.synced().await;
    let segments: Vec<String> = rig.names().into_iter().filter(|name| name.ends_with(".log")).collect();
    std::fs::OpenOptions::new().write(true).open(rig.folder.join("t-0").join(&segments[1])).unwrap().set_len(100).unwrap();
    rig.store.stop(true).await;
    std::fs::remove_file(rig.folder.join(".clean-shutdown")).unwrap();
    rig.restart().await;
    assert!(rig.open(Durability::Flushed).await.damaged);
}

/// Another topic by the name of the first, whose work other tasks do.
fn newer() -> LogId {
    let named = |number: u8| TopicId(Uuid([7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, number]));
    let mut ids = (8..=255).map(|number| LogId::Partition(TopicPartition { topic: named(number), partition: PartitionIndex(0) }));
    let (writers, keepers) = (4, 3);
    let is_apart = |id: &LogId| spread(*id, writers) != spread(LOG, writers) && keeper_of(*id, keepers) != keeper_of(LOG, keepers);
    ids.find(is_apart).unwrap()
}

#[test]
fn the_metadata_log_shares_no_keeper_where_there_are_several() {
    let of_partitions = |keepers| [LOG, newer()].map(|id| keeper_of(id, keepers));
    assert_eq!((keeper_of(LogId::Metadata, 3), keeper_of(LogId::Metadata, 1)), (0, 0));
    assert!(!of_partitions(3).contains(&0) && !of_partitions(2).contains(&0));
    assert_eq!(of_partitions(1), [0, 0]);
}

#[tokio::test]
async fn a_topic_created_anew_gets_the_folder_only_when_the_old_one_is_removed() {
    let mut rig = Rig::start("anew").await;
    rig.open(Durability::Flushed).await;
    rig.append(5);
    let upto = rig.end;
    rig.store.submit(StorageOp::KeepSnapshot { log: LOG, upto, producers: Bytes::from_static(b"old") });
    rig.store.submit(StorageOp::Remove { log: LOG });
    rig.log = newer();
    rig.store.submit(StorageOp::Open { log: rig.log, topic: TopicName::from("t"), settings: settings(Durability::Flushed) });
    let mut told = Vec::new();
    while told.len() < 2 {
        let which = |done: &StorageDone| {
            let is_removed = matches!(done, StorageDone::Removed { .. });
            (is_removed || matches!(done, StorageDone::Opened { .. })).then_some(if is_removed { "removed" } else { "opened" })
        };
        told.push(rig.until(which).await);
    }
    assert_eq!(told, ["removed", "opened"]);
    rig.end = Offset(0);
    rig.append(5);
    rig.synced().await;
    rig.restart().await;
    let recovered = rig.open(Durability::Flushed).await;
    assert_eq!((recovered.log_end, recovered.snapshot), (Offset(5), None));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_folder_that_is_not_given_up() {
    let mut rig = Rig::start("barred").await;
    rig.open(Durability::Flushed).await;
    rig.append(5);
    rig.synced().await;
    rig.store.submit(StorageOp::Open { log: newer(), topic: TopicName::from("t"), settings: settings(Durability::Flushed) });
    rig.restart().await;
    assert_eq!(rig.open(Durability::Flushed).await.log_end, Offset(5));
}

#[tokio::test]
async fn no_partition_is_opened_in_the_metadata_logs_folder() {
    let mut rig = Rig::start("reserved").await;
    rig.store.submit(StorageOp::Open { log: LogId::Metadata, topic: "__cluster_metadata".into(), settings: settings(Durability::Flushed) });
    rig.until(|done| matches!(done, StorageDone::Opened { .. }).then_some(())).await;
    rig.store.submit(StorageOp::KeepElection(ElectionState { quorum_epoch: QuorumEpoch(1), voted_for: None }));
    rig.until(|done| matches!(done, StorageDone::ElectionKept(_)).then_some(())).await;
    rig.store.submit(StorageOp::Open { log: LOG, topic: "__cluster_metadata".into(), settings: settings(Durability::Flushed) });
    // The folder is the metadata log's as long as that is open, and after it too.
    rig.restart().await;
    rig.store.submit(StorageOp::Open { log: LOG, topic: "__cluster_metadata".into(), settings: settings(Durability::Flushed) });
    assert!(matches!(rig.failed().await, StorageError::Corrupt(_)));
    assert!(rig.folder.join("__cluster_metadata-0/quorum-state").exists());
}
