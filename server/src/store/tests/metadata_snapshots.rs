//! Snapshots of the cluster's metadata, and a metadata log that begins where one ends.

use gracchus_core::metadata::{FoundSnapshots, Image, MetadataSnapshot, SnapshotId};

use super::*;

const METADATA: &str = "__cluster_metadata-0";

fn id(end_offset: i64, leader_epoch: i32) -> SnapshotId {
    SnapshotId { end_offset: Offset(end_offset), leader_epoch: LeaderEpoch(leader_epoch) }
}

fn content(id: SnapshotId) -> Bytes {
    MetadataSnapshot::encode(id, &Image { next_producer_id: id.end_offset.0, ..Image::default() })
}

impl Rig {
    async fn keep(&mut self, id: SnapshotId) {
        self.store.submit(StorageOp::KeepMetadataSnapshot { id, content: content(id) });
        self.until(|done| matches!(done, StorageDone::MetadataSnapshotKept { id: kept } if *kept == id).then_some(())).await;
    }

    async fn load(&mut self) -> (FoundSnapshots, Option<Bytes>) {
        self.store.submit(StorageOp::LoadMetadataSnapshots);
        let found =
            self.until(
                |done| {
                    if let StorageDone::MetadataSnapshots { found, latest } = done { Some((found.clone(), latest.clone())) } else { None }
                },
            );
        found.await
    }

    async fn piece(&mut self, id: SnapshotId, position: u64, bytes_max: u32) -> Option<(Bytes, u64)> {
        self.store.submit(StorageOp::ReadMetadataSnapshot { id, position, bytes_max });
        self.until(|done| if let StorageDone::MetadataSnapshotRead { piece, .. } = done { Some(piece.clone()) } else { None }).await
    }

    fn metadata_names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join(METADATA)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Appends a batch of one record in an epoch.
    fn append_in(&mut self, leader_epoch: i32) {
        let mut builder = BatchBuilder::new(self.end, LeaderEpoch(leader_epoch));
        builder.append(Timestamp(1), None, Some(b"a value"), &[]);
        self.append_batch(builder.build());
    }
}

#[tokio::test]
async fn the_latest_two_snapshots_are_kept_and_the_last_is_read_at_a_start() {
    let mut rig = Rig::start("metadata-snapshots").await;
    assert_eq!(rig.load().await, (FoundSnapshots::default(), None));
    for id in [id(10, 1), id(20, 1), id(30, 2)] {
        rig.keep(id).await;
    }
    assert_eq!(rig.metadata_names(), ["00000000000000000020-0000000001.checkpoint", "00000000000000000030-0000000002.checkpoint"]);
    rig.restart().await;
    let found = FoundSnapshots { sound: vec![id(20, 1), id(30, 2)], damaged: Vec::new() };
    assert_eq!(rig.load().await, (found, Some(content(id(30, 2)))));
}

#[tokio::test]
async fn a_damaged_snapshot_is_told_apart_and_the_one_before_it_read() {
    let mut rig = Rig::start("metadata-snapshot-damage").await;
    rig.keep(id(10, 1)).await;
    rig.keep(id(20, 1)).await;
    let path = rig.folder.join(METADATA).join("00000000000000000020-0000000001.checkpoint");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[14] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let found = FoundSnapshots { sound: vec![id(10, 1)], damaged: vec![id(20, 1)] };
    assert_eq!(rig.load().await, (found, Some(content(id(10, 1)))));
}

#[tokio::test]
async fn what_a_crash_has_left_of_a_snapshot_is_no_snapshot_and_goes() {
    let mut rig = Rig::start("metadata-snapshot-leftover").await;
    rig.keep(id(10, 1)).await;
    let path = rig.folder.join(METADATA).join("00000000000000000020-0000000001.checkpoint.tmp");
    std::fs::write(&path, b"GRACM").unwrap();
    assert_eq!(rig.load().await.0, FoundSnapshots { sound: vec![id(10, 1)], damaged: Vec::new() });
    rig.log = LogId::Metadata;
    rig.open(Durability::Flushed).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_snapshot_is_read_piece_by_piece() {
    let mut rig = Rig::start("metadata-snapshot-pieces").await;
    rig.keep(id(10, 1)).await;
    let whole = content(id(10, 1));
    let length = whole.len() as u64;
    assert_eq!(rig.piece(id(10, 1), 0, 7).await, Some((whole.slice(..7), length)));
    assert_eq!(rig.piece(id(10, 1), 7, 1_000).await, Some((whole.slice(7..), length)));
    assert_eq!(rig.piece(id(10, 1), 5_000, 1_000).await, Some((Bytes::new(), length)));
    assert_eq!(rig.piece(id(11, 1), 0, 7).await, None);
}

#[tokio::test]
async fn a_log_that_begins_anew_may_go_on_in_an_older_epoch() {
    for keeps_recovery_snapshot in [false, true] {
        let mut rig = Rig::start("begins-anew").await;
        rig.log = LogId::Metadata;
        rig.open(Durability::Flushed).await;
        for leader_epoch in [1, 1, 7, 7] {
            rig.append_in(leader_epoch);
        }
        rig.synced().await;
        if keeps_recovery_snapshot {
            rig.store.submit(StorageOp::KeepSnapshot { log: LogId::Metadata, upto: rig.end, producers: Bytes::new() });
            rig.until(|done| matches!(done, StorageDone::SnapshotKept { .. }).then_some(())).await;
        }
        rig.store.submit(StorageOp::Trim { log: LogId::Metadata, log_start: Offset(50) });
        rig.until(|done| matches!(done, StorageDone::Trimmed { log_start: Offset(50), .. }).then_some(())).await;
        rig.end = Offset(50);
        rig.append_in(5);
        rig.synced().await;
        for _ in 0..2 {
            rig.restart().await;
            let recovered = rig.open(Durability::Flushed).await;
            assert_eq!((recovered.log_start, recovered.log_end, recovered.damaged), (Offset(50), Offset(51), false));
            assert_eq!(recovered.epochs.iter().map(|start| start.leader_epoch.0).collect::<Vec<_>>(), [5]);
            assert_eq!(rig.read(50, u32::MAX).await.unwrap(), [50]);
        }
    }
}
