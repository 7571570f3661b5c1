//! The store on a disk that fails, tears and forgets, against a model of one log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gracchus_core::boundary::{Durability, Generation, LogSettings, LogSlice, Payload, Recovered, StorageDone, StorageOp};
use gracchus_core::ids::{LogId, PartitionIndex, TopicId, TopicName, TopicPartition, Uuid};
use gracchus_core::offset::Offset;
use gracchus_proptests::lone_disk::LoneDisk;
use gracchus_proptests::stored_log::StoredLog;
use gracchus_server::store::{Share, Store, StoreSettings};
use gracchus_sim::platform::disk::{DiskFaults, SimDisk};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;
use tokio::time::timeout;

const LOG: LogId = LogId::Partition(TopicPartition { topic: TopicId(Uuid([7; 16])), partition: PartitionIndex(0) });

/// Attempts to open a log on a disk that fails now and then.
const ATTEMPTS_MAX: usize = 100;

/// Something that happens to a log.
#[derive(Clone, Debug)]
enum Step {
    Append {
        records: u8,
        value_bytes: u16,
        has_followers: bool,
    },
    NewEpoch,
    Sync,
    Snapshot,
    Truncate(u8),
    Trim(u8),
    /// All that was asked for is finished.
    Settle,
    /// The process runs on for so many turns.
    Run(u8),
    Crash,
    LosePower,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (1..4u8, 0..400u16, any::<bool>()).prop_map(|(records, value_bytes, has_followers)| Step::Append { records, value_bytes, has_followers }),
        1 => Just(Step::NewEpoch),
        1 => Just(Step::Sync),
        2 => Just(Step::Snapshot),
        1 => any::<u8>().prop_map(Step::Truncate),
        1 => any::<u8>().prop_map(Step::Trim),
        2 => Just(Step::Settle),
        6 => any::<u8>().prop_map(Step::Run),
        1 => Just(Step::Crash),
        2 => Just(Step::LosePower),
        1 => Just(Step::Stop),
    ]
}

fn faults() -> impl Strategy<Value = DiskFaults> {
    let rate = |of: u32| prop_oneof![3 => Just(0), 1 => Just(of)];
    (rate(20_000), rate(10_000), rate(5_000), rate(20_000), Just(200_000)).prop_map(
        |(sync_failure, write_error, read_error, read_flip, write_split)| DiskFaults {
            sync_failure,
            write_error,
            read_error,
            read_flip,
            write_split,
            ..DiskFaults::default()
        },
    )
}

fn log_settings(durability: Durability) -> LogSettings {
    LogSettings { durability, segment_bytes_max: 1_500, segment_age_max_ms: i64::MAX, index_interval_bytes: 200, file_delete_delay_ms: 5_000 }
}

/// A log may be much ahead of its disk, or is soon held back.
fn store_settings(seed: u64) -> StoreSettings {
    StoreSettings {
        writers: 2,
        keepers: 2,
        readers: 1,
        unsynced_bytes_max: if seed.is_multiple_of(2) { 2_000 } else { 500 },
        unsynced_ms_max: 200,
        group_bytes_max: 3_000,
        open_files_max: 4,
        preallocate_bytes: 700,
        preallocate_from_bytes: 300,
        tail_batches_max: 5,
        ..StoreSettings::default()
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stopped,
    Crashed,
    LostPower,
}

/// A process with the log open.
struct Process<'a> {
    disk: &'a SimDisk,
    faults: &'a DiskFaults,
    log: LogId,
    durability: Durability,
    store: Store<LoneDisk>,
    done: UnboundedReceiver<StorageDone>,
    generation: Generation,
    model: &'a mut StoredLog,
}

impl<'a> Process<'a> {
    async fn start(
        (platform, settings): (LoneDisk, StoreSettings),
        disk: &'a SimDisk,
        faults: &'a DiskFaults,
        (log, durability): (LogId, Durability),
        model: &'a mut StoredLog,
        end: End,
    ) -> Option<Self> {
        let (store, done) = Store::start(platform, settings).await.ok()?;
        let mut process = Self { disk, faults, log, durability, store, done, generation: Generation(0), model };
        process.open(end != End::LostPower).await;
        Some(process)
    }

    async fn open(&mut self, cache_was_kept: bool) {
        for _ in 0..ATTEMPTS_MAX {
            let topic = TopicName::from("t");
            self.store.submit(StorageOp::Open { log: self.log, topic, settings: log_settings(self.durability) });
            if let Some(recovered) = self.opened().await {
                self.generation = recovered.generation;
                self.model.recover(&recovered, cache_was_kept);
                return;
            }
        }
        panic!("the log does not open");
    }

    async fn opened(&mut self) -> Option<Recovered> {
        loop {
            match self.done.recv().await.expect("the store is there") {
                StorageDone::Opened { recovered, .. } => return Some(recovered),
                StorageDone::Failed { .. } => return None,
                // Of what was asked before the log failed.
                StorageDone::Written { .. }
                | StorageDone::Synced { .. }
                | StorageDone::Rolled { .. }
                | StorageDone::SegmentsCompacted { .. }
                | StorageDone::Compacted { .. }
                | StorageDone::Trimmed { .. }
                | StorageDone::Truncated { .. }
                | StorageDone::SnapshotKept { .. }
                | StorageDone::Read { .. }
                | StorageDone::Found { .. }
                | StorageDone::Removed { .. }
                | StorageDone::OthersRemoved
                | StorageDone::ElectionKept(_)
                | StorageDone::Election(_)
                | StorageDone::MetadataSnapshotKept { .. }
                | StorageDone::MetadataSnapshotNotKept { .. }
                | StorageDone::MetadataSnapshots { .. }
                | StorageDone::MetadataSnapshotRead { .. }
                | StorageDone::Space { .. } => {}
            }
        }
    }

    /// Takes steps until one ends the process.
    async fn live(&mut self, steps: &mut impl Iterator<Item = Step>) -> Option<End> {
        for step in steps {
            match step {
                Step::Append { records, value_bytes, has_followers } => {
                    let batch = self.model.append(records, value_bytes);
                    let (header, payload) = (batch.header, Payload::new(batch.bytes));
                    self.store.submit(StorageOp::Append { log: self.log, header, payload, has_followers });
                }
                Step::NewEpoch => self.model.leader_epoch += 1,
                Step::Sync => self.store.submit(StorageOp::Sync { log: self.log }),
                Step::Snapshot => {
                    let upto = self.model.end();
                    let producers = self.model.producers(upto);
                    self.model.snapshots.push((upto, producers.clone(), false));
                    self.model.snapshot_awaited = Some(upto);
                    self.store.submit(StorageOp::KeepSnapshot { log: self.log, upto, producers });
                }
                Step::Truncate(numerator) => {
                    let to = self.model.boundary(numerator);
                    self.model.truncate(to);
                    self.store.submit(StorageOp::Truncate { log: self.log, to });
                    // Nothing is appended before the log's end is known again.
                    if numerator % 2 == 0 {
                        self.run(numerator).await;
                        if self.model.truncating_to.is_some() {
                            return Some(if numerator % 4 == 0 { End::Crashed } else { End::LostPower });
                        }
                    } else {
                        self.settle().await;
                    }
                }
                Step::Trim(numerator) => {
                    self.model.start_asked = self.model.boundary(numerator);
                    self.store.submit(StorageOp::Trim { log: self.log, log_start: self.model.start_asked });
                }
                Step::Settle => {
                    self.settle().await;
                    self.check().await;
                }
                Step::Run(turns) => self.run(turns).await,
                Step::Crash => return Some(End::Crashed),
                Step::LosePower => return Some(End::LostPower),
                Step::Stop => {
                    self.store.stop(true).await;
                    return Some(End::Stopped);
                }
            }
        }
        None
    }

    /// Lets the store work for some turns, and hears what it says.
    async fn run(&mut self, turns: u8) {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        self.hear().await;
    }

    /// Hears what was said.
    async fn hear(&mut self) {
        while let Ok(done) = self.done.try_recv() {
            self.take(done).await;
        }
    }

    async fn take(&mut self, done: StorageDone) {
        if let StorageDone::Truncated { generation, .. } = &done {
            self.generation = *generation;
        }
        if self.model.hear(&done) {
            self.open(true).await;
        }
    }

    /// Waits until the store has nothing more to do.
    async fn settle(&mut self) {
        while let Ok(Some(done)) = timeout(Duration::from_secs(1), self.done.recv()).await {
            self.take(done).await;
        }
        assert_eq!(self.model.truncating_to, None, "the truncation was told");
        assert_eq!(self.model.snapshot_awaited, None, "a snapshot that reaches as far was told");
        assert_eq!(self.model.synced, self.model.end(), "all is on disk: {:?}", self.durability);
        assert_eq!(self.model.start_told, self.model.start_asked);
    }

    /// Reads the whole log, from several places and in pieces of several sizes.
    async fn check(&mut self) {
        self.disk.set_faults(DiskFaults { write_split: 0, ..DiskFaults::default() });
        let from = self.model.start_asked;
        for (from, bytes_max) in [(from, 1), (from, 1_000), (self.model.boundary(100), 2_500), (self.model.boundary(200), u32::MAX)] {
            self.read(from, bytes_max).await;
        }
        self.disk.set_faults(self.faults.clone());
    }

    async fn read(&mut self, mut from: Offset, bytes_max: u32) {
        let upto = self.model.end();
        while from < upto {
            let slice = LogSlice { log: self.log, generation: self.generation, from, upto, bytes_max };
            let ranges = self.store.resolve(&[slice], Share::First(u32::MAX)).await.remove(0).expect("nothing fails here");
            let mut bytes = Vec::new();
            for (file, range) in ranges {
                bytes.extend_from_slice(&file.read(range).await.expect("nothing fails here"));
            }
            let first = self.model.batches.partition_point(|batch| batch.header.next_offset() <= from);
            let mut rest = bytes.as_slice();
            let mut batches = self.model.batches.iter().skip(first);
            let mut first_bytes = None;
            while !rest.is_empty() {
                let batch = batches.next().expect("only what was appended is read");
                rest = rest.strip_prefix(&batch.bytes[..]).expect("an offset never changes its content");
                from = batch.header.next_offset();
                first_bytes.get_or_insert(batch.bytes.len());
            }
            let first_bytes = first_bytes.expect("one batch makes progress");
            assert!(bytes.len() <= first_bytes.max(usize::try_from(bytes_max).expect("32 bits")), "no more than was allowed");
        }
    }
}

/// Runs a log through its steps, a process after the other.
fn run(seed: u64, faults: &DiskFaults, log: (LogId, Durability), steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let mut disk = SimDisk::new(seed, faults.clone());
    let mut model = StoredLog::default();
    let mut steps = steps.into_iter();
    let mut last = End::Stopped;
    let drawn = Arc::default();
    loop {
        let tasks = LocalSet::new();
        let ended = tasks.block_on(&runtime, async {
            // A process that does not start for the disk's faults is started again.
            let platform = LoneDisk::new(disk.clone(), Arc::clone(&drawn));
            let Some(mut process) = Process::start((platform, store_settings(seed)), &disk, faults, log, &mut model, last).await else {
                return Some(last);
            };
            // Whatever recovery has found is on disk, so that the next one finds the same.
            process.check().await;
            let ended = process.live(&mut steps).await;
            if ended.is_none() {
                process.settle().await;
                process.check().await;
            }
            while let Ok(done) = process.done.try_recv() {
                process.model.hear(&done);
            }
            ended
        });
        drop(tasks);
        disk = if ended == Some(End::LostPower) { disk.lose_power() } else { disk.crash() };
        match ended {
            Some(ended) => last = ended,
            None => return,
        }
    }
}

#[test]
fn of_snapshots_that_wait_for_a_sync_the_latest_is_kept() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let (disk, faults, mut model) = (SimDisk::new(0, DiskFaults::default()), DiskFaults::default(), StoredLog::default());
    LocalSet::new().block_on(&runtime, async {
        let platform = LoneDisk::new(disk.clone(), Arc::default());
        let log = (LOG, Durability::Replicated);
        let process = Process::start((platform, store_settings(0)), &disk, &faults, log, &mut model, End::Stopped).await;
        let mut process = process.expect("nothing fails here");
        for _ in 0..3 {
            process.live(&mut [Step::Append { records: 1, value_bytes: 50, has_followers: false }, Step::Snapshot].into_iter()).await;
        }
        let mut kept = Vec::new();
        while let Ok(Some(done)) = timeout(Duration::from_secs(1), process.done.recv()).await {
            if let StorageDone::SnapshotKept { upto, .. } = &done {
                kept.push(*upto);
            }
            process.take(done).await;
        }
        assert_eq!(kept, [Offset(1), Offset(3)], "the second waits for the sync of the first, and the third takes its place");
    });
}

/// A follower's log that begins anew is, whenever the power goes, what it was or an empty one that knows what producers the leader told.
#[test]
fn a_log_that_begins_anew_is_whole_at_every_moment() {
    let mut begun = 0;
    for turns in 0..200 {
        for (durability, skipped) in
            [(Durability::Flushed, 0), (Durability::Replicated, 0), (Durability::Flushed, 7), (Durability::Replicated, 7)]
        {
            begun += usize::from(begins_anew_and_loses_power(turns, durability, skipped));
        }
    }
    assert!((100..700).contains(&begun), "the power goes before and after: {begun}");
}

/// Says whether the log has begun anew before the power went, so many turns after it was told to.
fn begins_anew_and_loses_power(turns: u8, durability: Durability, skipped: i64) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let faults = DiskFaults { write_split: 200_000, ..DiskFaults::default() };
    let (disk, mut model) = (SimDisk::new(turns.into(), faults.clone()), StoredLog::default());
    let told = Bytes::from_static(b"the leader's");
    let tasks = LocalSet::new();
    let end = tasks.block_on(&runtime, async {
        let platform = LoneDisk::new(disk.clone(), Arc::default());
        let process = Process::start((platform, store_settings(0)), &disk, &faults, (LOG, durability), &mut model, End::Stopped).await;
        let mut process = process.expect("nothing fails here");
        let append = Step::Append { records: 3, value_bytes: 300, has_followers: false };
        let steps = [append.clone(), Step::Snapshot, append.clone(), append.clone(), Step::NewEpoch, append.clone(), append, Step::Settle];
        process.live(&mut steps.into_iter()).await;
        let end = process.model.end();
        let log_start = end.plus(skipped);
        process.store.submit(StorageOp::KeepSnapshot { log: LOG, upto: log_start, producers: told.clone() });
        process.store.submit(StorageOp::Trim { log: LOG, log_start });
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        end
    });
    drop(tasks);
    let disk = disk.lose_power();
    let recovered = LocalSet::new().block_on(&runtime, async {
        let started = Store::start(LoneDisk::new(disk.clone(), Arc::default()), store_settings(0)).await;
        let Ok((store, mut done)) = started else { panic!("nothing fails here") };
        store.submit(StorageOp::Open { log: LOG, topic: TopicName::from("t"), settings: log_settings(durability) });
        loop {
            match done.recv().await {
                Some(StorageDone::Opened { recovered, .. }) => return recovered,
                Some(StorageDone::Failed { error, .. }) => panic!("{error:?}"),
                Some(_) => {}
                None => panic!("the store is gone"),
            }
        }
    });
    assert!(!recovered.damaged, "turn {turns}: {recovered:?}");
    if recovered.log_start == Offset::ZERO {
        assert_eq!(recovered.log_end, end, "turn {turns}: {recovered:?}");
        return false;
    }
    let log_start = end.plus(skipped);
    assert_eq!((recovered.log_start, recovered.log_end), (log_start, log_start), "turn {turns}");
    assert_eq!(recovered.snapshot, Some((log_start, told)), "turn {turns}");
    assert_eq!(recovered.epochs, [], "turn {turns}");
    true
}

/// An epoch stands outside the checksum, and one that is misread may be that of the batch before, as 5 is 4 but for a bit.
#[test]
fn no_epoch_is_misread_when_a_log_is_opened() {
    let append = Step::Append { records: 1, value_bytes: 0, has_followers: false };
    let epochs = [append.clone(), Step::NewEpoch, append, Step::Settle];
    let faults = DiskFaults { read_flip: 500_000, ..DiskFaults::default() };
    for seed in 0..500 {
        let steps = epochs.iter().cloned().chain((0..10).map(|_| Step::Crash)).collect();
        run(seed, &faults, (LOG, Durability::Replicated), steps);
    }
}

proptest! {
    #[test]
    fn a_log_keeps_what_was_promised_on_a_disk_that_fails(
        seed: u64,
        faults in faults(),
        is_flushed: bool,
        steps in vec(step(), 0..80),
    ) {
        run(seed, &faults, (LOG, if is_flushed { Durability::Flushed } else { Durability::Replicated }), steps);
    }

    #[test]
    fn the_metadata_log_keeps_what_was_promised_and_opens_whatever_a_crash_left(
        seed: u64,
        faults in faults(),
        steps in vec(step(), 0..80),
    ) {
        run(seed, &faults, (LogId::Metadata, Durability::Flushed), steps);
    }
}
