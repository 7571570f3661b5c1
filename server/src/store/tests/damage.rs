//! What recovery makes of bytes that are not what was written.

use super::super::index::{self, OffsetEntry};
use super::*;

impl Rig {
    /// Works on the metadata log from here on.
    async fn open_metadata(&mut self) -> Recovered {
        self.log = LogId::Metadata;
        self.open(Durability::Flushed).await
    }

    /// Ends the process as a crash does. All that is written stays.
    async fn crash(&mut self) {
        self.store.stop(true).await;
        std::fs::remove_file(self.folder.join(".clean-shutdown")).unwrap();
        self.restart().await;
    }

    async fn fails_to_open(&mut self) -> StorageError {
        self.store.submit(StorageOp::Open { log: self.log, topic: TopicName::from("t"), settings: settings(Durability::Flushed) });
        self.failed().await
    }

    async fn snapshot(&mut self) {
        let upto = self.end;
        self.store.submit(StorageOp::KeepSnapshot { log: self.log, upto, producers: Bytes::new() });
        self.until(|done| matches!(done, StorageDone::SnapshotKept { .. }).then_some(())).await;
    }

    /// Flips a bit in the middle of the `batch`th of `batches` that are of one length and fill the first segment.
    fn rot(&self, folder: &str, batch: usize, batches: usize) {
        let path = self.folder.join(folder).join("00000000000000000000.log");
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len() / batches;
        bytes[batch * length + length / 2] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
}

const METADATA: &str = "__cluster_metadata-0";

#[tokio::test]
async fn rot_in_the_metadata_log_is_found_at_every_start_and_nothing_is_cut() {
    for is_clean in [true, false] {
        for rotten in 0..2 {
            let mut rig = Rig::start("rot").await;
            rig.open_metadata().await;
            for _ in 0..3 {
                rig.append(5);
            }
            rig.synced().await;
            rig.store.stop(true).await;
            rig.rot(METADATA, rotten, 3);
            if !is_clean {
                std::fs::remove_file(rig.folder.join(".clean-shutdown")).unwrap();
            }
            let before = std::fs::read(rig.folder.join(METADATA).join("00000000000000000000.log")).unwrap();
            for _ in 0..3 {
                rig.restart().await;
                assert!(matches!(rig.fails_to_open().await, StorageError::Corrupt(_)));
            }
            assert_eq!(std::fs::read(rig.folder.join(METADATA).join("00000000000000000000.log")).unwrap(), before);
        }
    }
}

#[tokio::test]
async fn rot_at_the_end_of_the_metadata_log_is_damage_where_a_snapshot_covers_it() {
    let mut rig = Rig::start("covered").await;
    rig.open_metadata().await;
    for _ in 0..3 {
        rig.append(5);
    }
    rig.snapshot().await;
    rig.store.stop(true).await;
    std::fs::remove_file(rig.folder.join(".clean-shutdown")).unwrap();
    rig.rot(METADATA, 2, 3);
    for _ in 0..2 {
        rig.restart().await;
        assert_eq!(rig.open_metadata().await.log_end, Offset(15));
        rig.store.submit(StorageOp::Read { log: LogId::Metadata, from: Offset(0), upto: Offset(15), bytes_max: u32::MAX });
        assert!(matches!(rig.failed().await, StorageError::Corrupt(_)));
    }
}

#[tokio::test]
async fn a_metadata_log_that_is_shorter_than_its_snapshot_is_not_opened() {
    let mut rig = Rig::start("short").await;
    rig.open_metadata().await;
    rig.append(5);
    rig.append(5);
    rig.snapshot().await;
    rig.store.stop(true).await;
    let log = std::fs::File::options().write(true).open(rig.folder.join(METADATA).join("00000000000000000000.log")).unwrap();
    log.set_len(log.metadata().unwrap().len() / 2).unwrap();
    for _ in 0..2 {
        rig.restart().await;
        assert!(matches!(rig.fails_to_open().await, StorageError::Corrupt(_)));
    }
}

#[tokio::test]
async fn a_torn_write_to_the_metadata_log_is_cut_off() {
    let mut rig = Rig::start("torn-metadata").await;
    rig.open_metadata().await;
    rig.append(5);
    rig.append(5);
    rig.synced().await;
    rig.store.stop(true).await;
    std::fs::remove_file(rig.folder.join(".clean-shutdown")).unwrap();
    rig.rot(METADATA, 1, 2);
    rig.restart().await;
    let recovered = rig.open_metadata().await;
    assert_eq!((recovered.log_end, recovered.damaged), (Offset(5), false));
    assert!(recovered.torn_bytes > 0);
}

#[tokio::test]
async fn whatever_is_bad_after_a_stop_is_damage() {
    for durability in [Durability::Flushed, Durability::Replicated] {
        let mut rig = Rig::start("clean").await;
        rig.open(durability).await;
        rig.append(5);
        rig.append(5);
        rig.synced().await;
        rig.store.stop(true).await;
        rig.rot("t-0", 1, 2);
        rig.restart().await;
        let recovered = rig.open(durability).await;
        assert_eq!((recovered.log_end, recovered.damaged), (Offset(5), true));
        rig.crash().await;
        assert!(!rig.open(durability).await.damaged, "a partition goes on without what it lost");
    }
}

#[tokio::test]
async fn a_metadata_log_that_is_gone_is_missed_where_there_are_records() {
    let mut rig = Rig::start("orphaned").await;
    rig.open_metadata().await;
    rig.append(5);
    rig.synced().await;
    rig.log = LOG;
    rig.open(Durability::Flushed).await;
    rig.append(5);
    rig.synced().await;
    rig.store.stop(true).await;
    std::fs::remove_dir_all(rig.folder.join(METADATA)).unwrap();
    rig.restart().await;
    rig.log = LogId::Metadata;
    assert!(matches!(rig.fails_to_open().await, StorageError::Corrupt(_)));
}

#[tokio::test]
async fn a_torn_batch_at_the_end_is_cut_off() {
    let mut rig = Rig::start("torn").await;
    rig.open(Durability::Flushed).await;
    rig.append(5);
    rig.append(5);
    rig.synced().await;
    rig.store.stop(true).await;
    std::fs::remove_file(rig.folder.join(".clean-shutdown")).unwrap();
    let log = rig.folder.join("t-0/00000000000000000000.log");
    let bytes = std::fs::read(&log).unwrap();
    let mut torn = bytes.clone();
    let middle = bytes.len() * 3 / 4;
    torn[middle] ^= 1;
    torn.extend([0; 4_096]);
    std::fs::write(&log, torn).unwrap();
    rig.restart().await;
    let recovered = rig.open(Durability::Flushed).await;
    assert_eq!((recovered.log_end, recovered.damaged), (Offset(5), false));
    // Zeros at the end count as set aside, and the last byte of a record without headers is one.
    assert_eq!(recovered.torn_bytes, bytes.len() as u64 / 2 - 1);
    assert_eq!(std::fs::metadata(&log).unwrap().len(), bytes.len() as u64 / 2);
}

#[tokio::test]
async fn an_index_ends_where_a_power_loss_has_left_zeros_in_it() {
    let rig = Rig::start("holes").await;
    let entry = |number: u32| [number.to_be_bytes(), (number * 100).to_be_bytes()].concat();
    // Two entries below the snapshot, blocks of zeros and of entries behind it, all of which were written after it.
    let mut bytes = [entry(1), entry(2)].concat();
    bytes.resize(8 * 600, 0);
    (3..700).for_each(|number| bytes.extend(entry(number)));
    bytes.resize(8 * 3_000, 0);
    std::fs::write(rig.folder.join("holes"), bytes).unwrap();
    let (answer, cut) = tokio::sync::oneshot::channel();
    rig.platform.spawn_disk("test", move |disk| async move {
        let below_the_snapshot = |entry: &OffsetEntry| entry.position < 300;
        let _ = answer.send(index::cut(&disk, Path::new("holes"), Offset(0), below_the_snapshot).await.unwrap());
    });
    assert_eq!(cut.await.unwrap(), (2, Some(OffsetEntry { last_offset: Offset(2), position: 200 })));
    assert_eq!(std::fs::metadata(rig.folder.join("holes")).unwrap().len(), 16);
}
