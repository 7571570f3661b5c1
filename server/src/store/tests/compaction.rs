//! Compaction against a model: what stays is the latest of each key, and every offset has a batch.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Compaction, SealedSegment};
use gracchus_core::record::{HEADER_BYTES, Records};

use super::*;
use crate::store::checkpoint;
use crate::store::paths::{FileKind, cleaned_file, segment_file};

/// What a record says: its offset, its key, and its value.
type Said = (i64, Vec<u8>, Option<Vec<u8>>);

fn compaction(clean_upto: i64, upto: Offset) -> Compaction {
    Compaction {
        generation: Generation(0),
        clean_upto: Offset(clean_upto),
        upto,
        kept_batches: Vec::new(),
        delete_retention_ms: 1_000_000_000,
        keys_bytes_max: 1 << 20,
        bytes_per_second_max: u64::MAX,
        settings: settings(Durability::Flushed),
    }
}

impl Rig {
    /// Appends a batch of records with these keys; every seventh record has no value.
    fn append_keyed(&mut self, said: &mut Vec<Said>, keys: &[u32]) {
        let mut builder = BatchBuilder::new(self.end, LeaderEpoch(3));
        for (at, key) in (0..).zip(keys) {
            let offset = self.end.0 + at;
            let value = (offset % 7 != 0).then(|| format!("the value at {offset}").into_bytes());
            builder.append(Timestamp(offset * 10), Some(&key.to_be_bytes()), value.as_deref(), &[]);
            said.push((offset, key.to_be_bytes().to_vec(), value));
        }
        self.append_batch(builder.build());
    }

    /// Fills the log: keys come again and again, and one of each ten is its own.
    async fn fill(&mut self, said: &mut Vec<Said>, batches: u32) {
        for batch in 0..batches {
            self.append_keyed(said, &[batch * 3 % 11, batch * 5 % 13, if batch % 10 == 0 { 1_000 + batch } else { batch % 4 }]);
        }
        self.synced().await;
        let upto = self.end;
        self.store.submit(StorageOp::KeepSnapshot { log: self.log, upto, producers: Bytes::from_static(b"nobody") });
        self.until(|done| matches!(done, StorageDone::SnapshotKept { .. }).then_some(())).await;
    }

    /// Where the closed segments end.
    fn closed(&self) -> Offset {
        let view = self.store.inner.shared.view(self.log).unwrap();
        let state = view.lock();
        state.segments.last().unwrap().base_offset
    }

    async fn compact(&mut self, compaction: Compaction) -> (Option<Offset>, Vec<SealedSegment>) {
        let compaction = Compaction { generation: self.generation, ..compaction };
        self.store.submit(StorageOp::Compact { log: self.log, compaction });
        let mut replaced = Vec::new();
        let clean_upto = self.until(|done| {
            if let StorageDone::SegmentsCompacted { sealed, .. } = done {
                replaced.extend(sealed);
            }
            if let StorageDone::Compacted { clean_upto, .. } = done { Some(clean_upto.clone()) } else { None }
        });
        (clean_upto.await.unwrap(), replaced)
    }

    /// What the log says from its start to its end, once it is seen that every offset has a batch.
    async fn said(&self) -> Vec<Said> {
        let (mut said, mut next) = (Vec::new(), 0);
        while next < self.end.0 {
            let slice = LogSlice { log: self.log, generation: self.generation, from: Offset(next), upto: self.end, bytes_max: 1_500 };
            let resolved = self.store.resolve(&[slice], Share::First(u32::MAX)).await.remove(0).unwrap();
            for (file, range) in resolved {
                let bytes = content(&self.platform, file, range).await;
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let header = BatchHeader::parse(rest).unwrap();
                    let (batch, behind) = rest.split_at(usize::try_from(header.batch_bytes).unwrap());
                    check_crc(batch).unwrap();
                    assert_eq!((header.base_offset.0, header.leader_epoch), (next, LeaderEpoch(3)));
                    for record in Records::new(&batch[HEADER_BYTES..]) {
                        let record = record.unwrap();
                        let offset = next + i64::from(record.offset_delta);
                        assert_eq!(header.base_timestamp.0 + record.timestamp_delta, offset * 10);
                        said.push((offset, record.key.unwrap().to_vec(), record.value.map(<[u8]>::to_vec)));
                    }
                    next = header.next_offset().0;
                    rest = behind;
                }
            }
        }
        said
    }
}

/// What compaction up to there may leave of all that was said.
fn latest(said: &[Said], upto: Offset) -> Vec<Said> {
    let last: BTreeMap<&[u8], i64> = said.iter().filter(|(offset, ..)| *offset < upto.0).map(|(offset, key, _)| (&key[..], *offset)).collect();
    said.iter().filter(|(offset, key, _)| *offset >= upto.0 || last[&key[..]] == *offset).cloned().collect()
}

#[tokio::test]
async fn the_latest_of_each_key_stays_where_it_was_also_after_a_restart() {
    let mut rig = Rig::start("compacted").await;
    rig.open(Durability::Flushed).await;
    let mut said = Vec::new();
    rig.fill(&mut said, 100).await;
    let upto = rig.closed();
    let (clean_upto, replaced) = rig.compact(compaction(0, upto)).await;
    assert_eq!(clean_upto, Some(upto));
    let expected = latest(&said, upto);
    assert!(expected.len() < said.len() / 2 && !replaced.is_empty());
    assert_eq!(rig.said().await, expected);
    let counters = rig.store.compactions();
    assert_eq!((counters.runs(), counters.failures()), (1, 0));
    assert!(counters.removed_bytes() > 0 && counters.removed_bytes() < counters.read_bytes());
    assert!(counters.buffer_used_bytes() > 0 && counters.buffer_used_bytes() <= counters.buffer_bytes());

    // It goes on, and what was clean is gone through again.
    rig.fill(&mut said, 50).await;
    let closed = rig.closed();
    let (clean_upto, _) = rig.compact(compaction(upto.0, closed)).await;
    assert_eq!(clean_upto, Some(closed));
    assert_eq!(rig.said().await, latest(&said, closed));
    let sealed: Vec<SealedSegment> = {
        let view = rig.store.inner.shared.view(rig.log).unwrap();
        let state = view.lock();
        state.segments.iter().map(|segment| segment.sealed()).collect()
    };

    rig.restart().await;
    let recovered = rig.open(Durability::Flushed).await;
    assert_eq!((recovered.clean_upto, recovered.damaged, recovered.torn_bytes), (closed, false, 0));
    assert_eq!(recovered.sealed[..], sealed[..sealed.len() - 1]);
    assert_eq!(rig.said().await, latest(&said, closed));
}

#[tokio::test]
async fn keys_that_do_not_fit_are_left_for_the_next_time() {
    let mut rig = Rig::start("compacted-small").await;
    rig.open(Durability::Flushed).await;
    let mut said = Vec::new();
    rig.fill(&mut said, 60).await;
    let (upto, mut clean_upto, mut rounds) = (rig.closed(), 0, 0);
    while clean_upto < upto.0 {
        let compaction = Compaction { keys_bytes_max: 0, ..compaction(clean_upto, upto) };
        let (reached, _) = rig.compact(compaction).await;
        assert!(reached.unwrap().0 > clean_upto, "each time it comes further");
        clean_upto = reached.unwrap().0;
        rounds += 1;
        let said_now = rig.said().await;
        assert!(latest(&said, upto).iter().all(|kept| said_now.contains(kept)), "nothing is lost on the way");
    }
    assert!(rounds > 3);
    assert_eq!(rig.said().await, latest(&said, upto));
}

#[tokio::test]
async fn a_log_that_is_cut_meanwhile_is_left_as_it_is() {
    let mut rig = Rig::start("compacted-cut").await;
    rig.open(Durability::Flushed).await;
    let mut said = Vec::new();
    rig.fill(&mut said, 40).await;
    let upto = rig.closed();
    // Slow enough for the cut to come first.
    rig.store.submit(StorageOp::Compact {
        log: rig.log,
        compaction: Compaction { generation: rig.generation, bytes_per_second_max: 1, ..compaction(0, upto) },
    });
    rig.store.submit(StorageOp::Truncate { log: rig.log, to: upto });
    let (mut generation, mut clean_upto) = (None, None);
    while generation.is_none() || clean_upto.is_none() {
        let done = rig.done.recv().await.unwrap();
        assert!(!matches!(done, StorageDone::Failed { .. }), "{done:?}");
        if let StorageDone::Truncated { generation: new, .. } = done {
            generation = Some(new);
        } else if let StorageDone::Compacted { clean_upto: upto, .. } = done {
            clean_upto = Some(upto);
        }
    }
    assert_eq!(clean_upto, Some(Ok(None)));
    rig.generation = generation.unwrap();
    rig.end = upto;
    assert_eq!(rig.said().await, said.iter().filter(|(offset, ..)| *offset < upto.0).cloned().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_swap_that_was_interrupted_is_finished_when_the_log_is_opened() {
    for step in 0..4 {
        let mut rig = Rig::start(&format!("compacted-half-{step}")).await;
        rig.open(Durability::Flushed).await;
        let mut said = Vec::new();
        rig.fill(&mut said, 60).await;
        let upto = rig.closed();
        let folder = rig.folder.join("t-0");
        let before: Vec<(PathBuf, Vec<u8>)> = files(&folder);
        let (_, replaced) = rig
            .compact(Compaction {
                settings: LogSettings { segment_bytes_max: u32::MAX, ..settings(Durability::Flushed) },
                ..compaction(0, upto)
            })
            .await;
        let [made] = replaced[..] else { panic!("all fits into one") };
        rig.store.stop(true).await;
        // All is put back but for the new segment, which is on its way.
        let [log, index, times] = FileKind::ALL.map(|kind| std::fs::read(segment_file(&folder, made.base_offset, kind)).unwrap());
        for (path, _) in files(&folder) {
            std::fs::remove_file(path).unwrap();
        }
        for (path, bytes) in &before {
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::write(folder.join(checkpoint::SWAP), crate::store::swap::encode(made)).unwrap();
        for (at, (kind, bytes)) in (0..).zip([(FileKind::Log, log), (FileKind::OffsetIndex, index), (FileKind::TimeIndex, times)]) {
            // Some have their names already, and at the last step the old ones go.
            let path = if at < step { segment_file(&folder, made.base_offset, kind) } else { cleaned_file(&folder, made.base_offset, kind) };
            std::fs::write(path, bytes).unwrap();
        }
        if step == 3 {
            let second = before.iter().map(|(path, _)| path).filter(|path| path.extension().is_some_and(|extension| extension == "log")).nth(1);
            std::fs::remove_file(second.unwrap()).unwrap();
        }
        rig.restart().await;
        let recovered = rig.open(Durability::Flushed).await;
        assert_eq!((recovered.damaged, &recovered.sealed[..]), (false, &[made][..]), "step {step}");
        assert_eq!(rig.said().await, latest(&said, upto), "step {step}");
        assert!(!folder.join(checkpoint::SWAP).exists());
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension != "deleted"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}
