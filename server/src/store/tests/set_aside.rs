//! Bytes that are set aside for a log that grows.

use super::*;

const BOTH: [Durability; 2] = [Durability::Flushed, Durability::Replicated];

/// Sets bytes aside from the first batch on.
fn preallocating() -> StoreSettings {
    StoreSettings { preallocate_from_bytes: 0, space_report_bytes: 400, space_report_ms: i64::MAX, ..StoreSettings::default() }
}

impl Rig {
    fn first_segment(&self) -> PathBuf {
        self.folder.join("t-0/00000000000000000000.log")
    }

    fn first_segment_bytes(&self) -> u64 {
        std::fs::metadata(self.first_segment()).unwrap().len()
    }

    /// Ends the process as a power loss does that has left `content` of the first segment.
    async fn lose_all_but(&mut self, content: &[u8]) {
        self.store.stop(true).await;
        std::fs::write(self.first_segment(), content).unwrap();
        std::fs::remove_file(self.folder.join(".clean-shutdown")).unwrap();
        self.restart().await;
    }
}

#[tokio::test]
async fn what_is_set_aside_is_told_when_it_is_much_and_given_back_by_a_log_that_stands_still() {
    for durability in BOTH {
        for is_idle in [false, true] {
            let space_report_ms = if is_idle { 100 } else { i64::MAX };
            let mut rig = Rig::start_with("aside", StoreSettings { space_report_ms, ..preallocating() }).await;
            rig.open(durability).await;
            rig.append(5);
            if !is_idle {
                rig.until(|done| matches!(done, StorageDone::Space { .. }).then_some(())).await;
                assert_eq!(rig.first_segment_bytes(), 2 * 206);
                continue;
            }
            rig.synced().await;
            while rig.first_segment_bytes() > 206 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            assert_eq!(rig.first_segment_bytes(), 206);
        }
    }
}

#[tokio::test]
async fn a_log_goes_on_where_its_batches_end_whatever_zeros_a_power_loss_has_left() {
    for durability in BOTH {
        let mut rig = Rig::start_with("zeros", preallocating()).await;
        rig.open(durability).await;
        (0..3).for_each(|_| rig.append(5));
        rig.synced().await;
        let set_aside = std::fs::read(rig.first_segment()).unwrap();
        // How much depends on how the batches were grouped.
        assert!(set_aside.len() > 3 * 206);
        rig.lose_all_but(&set_aside).await;
        let recovered = rig.open(durability).await;
        assert_eq!((recovered.log_end, recovered.torn_bytes, recovered.damaged), (Offset(15), 0, false));
        assert_eq!(rig.first_segment_bytes(), 3 * 206);
        rig.append(5);
        rig.synced().await;
        assert_eq!(rig.read(0, u32::MAX).await.unwrap(), offsets(0, 20));
    }
}

#[tokio::test]
async fn what_a_power_loss_has_left_behind_zeros_is_cut_off() {
    let mut rig = Rig::start_with("behind-zeros", preallocating()).await;
    rig.open(Durability::Replicated).await;
    (0..3).for_each(|_| rig.append(5));
    rig.synced().await;
    let mut content = std::fs::read(rig.first_segment()).unwrap();
    content[206..2 * 206].fill(0);
    rig.lose_all_but(&content).await;
    let recovered = rig.open(Durability::Replicated).await;
    // The last batch was promised to nobody by this disk alone. Its last byte is a zero.
    assert_eq!((recovered.log_end, recovered.torn_bytes, recovered.damaged), (Offset(5), 2 * 206 - 1, false));
    assert_eq!(rig.first_segment_bytes(), 206);
    rig.append(5);
    rig.synced().await;
    assert_eq!(rig.read(0, u32::MAX).await.unwrap(), [0, 5]);
}

#[tokio::test]
async fn a_segment_that_is_closed_keeps_nothing_set_aside() {
    for durability in BOTH {
        let mut rig = Rig::start_with("closed", preallocating()).await;
        rig.open(durability).await;
        (0..5).for_each(|_| rig.append(5));
        rig.synced().await;
        assert_eq!(rig.first_segment_bytes(), 4 * 206);
        assert_eq!(rig.store.inner.shared.room.set_aside_bytes(), 206);
        rig.store.submit(StorageOp::Remove { log: LOG });
        rig.until(|done| matches!(done, StorageDone::Removed { .. }).then_some(())).await;
        assert_eq!(rig.store.inner.shared.room.set_aside_bytes(), 0);
    }
}

#[tokio::test]
async fn what_is_set_aside_is_given_back_when_room_grows_tight() {
    for durability in BOTH {
        let mut rig = Rig::start_with("tight", preallocating()).await;
        rig.open(durability).await;
        rig.append(5);
        rig.synced().await;
        assert_eq!(rig.first_segment_bytes(), 2 * 206);
        // As if others had filled the disk.
        rig.store.inner.shared.room.looked_at(1, rig.store.inner.shared.room.before_look());
        while rig.first_segment_bytes() > 206 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!((rig.first_segment_bytes(), rig.store.inner.shared.room.set_aside_bytes()), (206, 0));
    }
}
