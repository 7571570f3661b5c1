//! Brokers in lockstep with a model of what they promise, over random schedules: no runtime, no clock, one event at a time.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is not as expected fails the test")]

mod checks;
mod cluster;
mod disk;

use proptest::collection::vec;
use proptest::prelude::*;

use self::cluster::{Cluster, Event};

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        40 => any::<u16>().prop_map(Event::Deliver),
        30 => any::<(u8, u8)>().prop_map(|(node, choice)| Event::Finish(node, choice)),
        12 => (1..400_u16).prop_map(Event::Pass),
        10 => any::<u8>().prop_map(Event::Produce),
        2 => any::<(u8, u8)>().prop_map(|(one, other)| Event::Break(one, other)),
        1 => any::<(u8, bool)>().prop_map(|(node, power)| Event::Restart(node, power)),
        1 => any::<u8>().prop_map(Event::Isolate),
        1 => any::<(u8, u8)>().prop_map(|(through, whom)| Event::ChangeVoters(through, whom)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn three_nodes_keep_what_they_acknowledge(events in vec(event(), 0..1_500), min_insync in 1..=2_u8) {
        let mut cluster = Cluster::serving(3, min_insync);
        events.into_iter().for_each(|event| cluster.happen(event));
        cluster.heal();
    }
}
