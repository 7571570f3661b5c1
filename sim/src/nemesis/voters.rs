//! Operators who add voters to the metadata quorum and take them away, while all else goes on.

use std::sync::Arc;
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::time::sleep;
use tokio::sync::Mutex;

use super::{Nemesis, spawn};
use crate::checkers::VoterChange;
use crate::clients::Client;

/// How long something that was asked for may still come about, when nobody has said what has become of it: those who pass it on wait for at
/// most five seconds each, and may stand still for three.
const UNKNOWN: Duration = Duration::from_secs(20);

/// The operators, of whom the second only ever asks for the opposite of what the first does. While a change is under way no disk is taken
/// away.
#[derive(Clone, Debug)]
pub(crate) struct Operators {
    clients: [Arc<Mutex<Client>>; 2],
    host: madsim::task::NodeId,
}

impl Operators {
    pub(crate) fn new(clients: [Client; 2], host: madsim::task::NodeId) -> Self {
        Self { clients: clients.map(|client| Arc::new(Mutex::new(client))), host }
    }

    /// Whether no change is under way.
    pub(super) fn are_idle(&self) -> bool {
        self.clients.iter().all(|client| client.try_lock().is_ok())
    }
}

impl Nemesis {
    /// Changes the voters, if there is a change that leaves a majority of them; or has two operators at odds about it.
    pub(super) fn change_voters(&self, choice: u64, is_disputed: bool) {
        if !self.operators.are_idle() {
            return;
        }
        let changes = self.recorder.tell(|checkers| Ok(checkers.voter_changes())).unwrap_or_default();
        let Some(count) = u64::try_from(changes.len()).ok().filter(|count| *count > 0) else { return };
        let chosen = usize::try_from(choice % count).expect("changes are few");
        let change = *changes.get(chosen).expect("it is one of them");
        let [first, second] = &self.operators.clients;
        self.ask_for(change, first);
        if is_disputed {
            self.ask_for(change.opposite(), second);
        }
    }

    fn ask_for(&self, change: VoterChange, client: &Arc<Mutex<Client>>) {
        let Ok(mut client) = Arc::clone(client).try_lock_owned() else { return };
        self.recorder.note(None, &format!("an operator asks for {change:?}"));
        let (nemesis, host) = (self.clone(), Handle::current().get_node(self.operators.host).expect("the operators have a machine"));
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
