//! A partition's log that begins anew, at its end or behind it.

use super::*;

/// A log with four batches up to epoch 7 that is asked to begin anew at `log_start`, and is told of producers before.
async fn begun_anew(name: &str, log_start: i64) -> Rig {
    let mut rig = Rig::start(name).await;
    rig.open(Durability::Flushed).await;
    for leader_epoch in [1, 1, 7, 7] {
        append_in(&mut rig, leader_epoch);
    }
    rig.synced().await;
    let (upto, log_start) = (rig.end, Offset(log_start));
    rig.store.submit(StorageOp::KeepSnapshot { log: LOG, upto, producers: Bytes::from_static(b"own") });
    rig.store.submit(StorageOp::KeepSnapshot { log: LOG, upto: log_start, producers: Bytes::from_static(b"the leader's") });
    rig.store.submit(StorageOp::Trim { log: LOG, log_start });
    rig.until(|done| matches!(done, StorageDone::Trimmed { .. }).then_some(())).await;
    rig.end = log_start;
    rig
}

fn append_in(rig: &mut Rig, leader_epoch: i32) {
    let mut builder = BatchBuilder::new(rig.end, LeaderEpoch(leader_epoch));
    builder.append(Timestamp(1), None, Some(b"a value"), &[]);
    rig.append_batch(builder.build());
}

#[tokio::test]
async fn it_knows_the_leaders_producers_and_no_epoch() {
    for (name, log_start) in [("begun-anew-at-end", 4), ("begun-anew-behind", 50)] {
        let mut rig = begun_anew(name, log_start).await;
        for _ in 0..2 {
            let recovered = rig.open(Durability::Flushed).await;
            assert_eq!((recovered.log_start, recovered.log_end, recovered.damaged), (Offset(log_start), Offset(log_start), false));
            assert_eq!(recovered.snapshot, Some((Offset(log_start), Bytes::from_static(b"the leader's"))));
            assert_eq!(recovered.epochs, []);
            rig.restart().await;
        }
    }
}

#[tokio::test]
async fn one_that_never_held_anything_knows_them_too() {
    let mut rig = Rig::start("begun-anew-first").await;
    rig.open(Durability::Flushed).await;
    let log_start = Offset(50);
    rig.store.submit(StorageOp::KeepSnapshot { log: LOG, upto: log_start, producers: Bytes::from_static(b"the leader's") });
    rig.store.submit(StorageOp::Trim { log: LOG, log_start });
    for _ in 0..2 {
        let recovered = rig.open(Durability::Flushed).await;
        assert_eq!((recovered.log_start, recovered.log_end, recovered.damaged), (log_start, log_start, false));
        assert_eq!(recovered.snapshot, Some((log_start, Bytes::from_static(b"the leader's"))));
        rig.restart().await;
    }
}

#[tokio::test]
async fn it_may_go_on_in_an_older_epoch() {
    for (name, log_start) in [("goes-on-at-end", 4), ("goes-on-behind", 50)] {
        let mut rig = begun_anew(name, log_start).await;
        append_in(&mut rig, 5);
        rig.synced().await;
        for _ in 0..2 {
            rig.restart().await;
            let recovered = rig.open(Durability::Flushed).await;
            assert_eq!((recovered.log_start, recovered.log_end, recovered.damaged), (Offset(log_start), Offset(log_start + 1), false));
            assert_eq!(recovered.epochs.iter().map(|start| start.leader_epoch.0).collect::<Vec<_>>(), [5]);
            assert_eq!(rig.read(log_start, u32::MAX).await.unwrap(), [log_start]);
        }
    }
}
