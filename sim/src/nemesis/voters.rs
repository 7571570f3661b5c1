//! An operator who adds voters to the metadata quorum and takes them away, while all else goes on.

use std::sync::Arc;
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::time::sleep;
use tokio::sync::Mutex;

use super::{Nemesis, spawn};
use crate::clients::Client;

/// How long something that was asked for may still come about, when nobody has said what has become of it: those who pass it on wait for at
/// most five seconds each, and may stand still for three.
const UNKNOWN: Duration = Duration::from_secs(20);

/// The operator. One change is under way at a time, and while one is no disk is taken away.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    client: Arc<Mutex<Client>>,
    host: madsim::task::NodeId,
}

impl Operator {
    pub(crate) fn new(client: Client, host: madsim::task::NodeId) -> Self {
        Self { client: Arc::new(Mutex::new(client)), host }
    }

    /// Whether no change is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.client.try_lock().is_ok()
    }
}

impl Nemesis {
    /// Changes the voters, if there is a change that leaves a majority of them.
    pub(super) fn change_voters(&self, choice: u64) {
        let Ok(mut client) = Arc::clone(&self.operator.client).try_lock_owned() else { return };
        let changes = self.recorder.tell(|checkers| Ok(checkers.voter_changes())).unwrap_or_default();
        let Some(count) = u64::try_from(changes.len()).ok().filter(|count| *count > 0) else { return };
        let chosen = usize::try_from(choice % count).expect("changes are few");
        let change = *changes.get(chosen).expect("it is one of them");
        self.recorder.note(None, &format!("an operator asks for {change:?}"));
        let (nemesis, host) = (self.clone(), Handle::current().get_node(self.operator.host).expect("the operator has a machine"));
        let asked = host.spawn(async move {
            let changed = client.change_voters(change).await;
            (client, changed)
        });
        spawn(async move {
            let Ok((client, changed)) = asked.await else { return };
            nemesis.recorder.note(None, &format!("the operator is told {changed:?}"));
            nemesis.count("change of voters", changed == Ok(true));
            if changed != Ok(true) {
                sleep(UNKNOWN).await;
            }
            drop(client);
        });
    }
}
