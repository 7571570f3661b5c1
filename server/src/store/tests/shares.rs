//! How much slices get that are read together.

use super::*;

#[tokio::test]
async fn slices_that_ask_for_less_than_a_batch_get_one_each_or_the_first_does() {
    let mut rig = Rig::start("shares").await;
    rig.open(Durability::Replicated).await;
    rig.append(5);
    rig.append(5);
    rig.synced().await;
    let slice = LogSlice { log: rig.log, generation: rig.generation, from: Offset(0), upto: rig.end, bytes_max: 1 };
    for (share, batches) in [(Share::Each(u32::MAX), [1, 1]), (Share::Each(1), [1, 0]), (Share::First(u32::MAX), [1, 0])] {
        let resolved = rig.store.resolve(&[slice, slice], share).await;
        let found: Vec<usize> = resolved.into_iter().map(|ranges| ranges.unwrap().len()).collect();
        assert_eq!(found, batches, "{share:?}");
    }
}
