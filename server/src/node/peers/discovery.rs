//! Finding the metadata quorum (KIP-853): a node that hears no leader of it asks the servers that its settings name, one after the other, who
//! the controllers are. It asks as any client does (KIP-919).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use gracchus_core::ids::NodeId;
use gracchus_core::time::Wait;
use gracchus_net::client::{CONTROLLERS_BYTES_MAX, ClientError, controllers_of, controllers_request};
use gracchus_net::frame::{FrameError, FrameReader};
use thiserror::Error;
use tokio::select;

use super::super::probe::Probe;
use super::super::shared::Shared;
use super::FromPeer;
use crate::config::HostPort;
use crate::platform::{Part, Platform};

/// How often the node looks whether it hears a leader, and asks the next server if not.
const LOOK_MS: i64 = 500;

/// How long a server may take to be connected to and to answer.
const ANSWER_MS_MAX: i64 = 2_000;

/// Why a server does not say who the controllers are.
#[derive(Debug, Error)]
enum Unanswered {
    #[error("it can't be reached: {0}")]
    Io(#[from] io::Error),
    #[error("it did not answer within {ANSWER_MS_MAX} ms")]
    Slow,
    #[error("it closed the connection")]
    Closed,
    #[error("it knows of none itself")]
    Nobody,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Looks for the quorum whenever the node hears no leader of it, until the node ends.
pub(in super::super) async fn find_controllers<P: Platform>(shared: Arc<Shared<P>>, probe: Probe) {
    for server in shared.addresses.bootstrap_servers().iter().cycle() {
        while let Some(seen) = probe.look().await
            && seen.hears_quorum
        {
            shared.addresses.find(BTreeMap::new());
            if has_ended_after(&shared, LOOK_MS).await {
                return;
            }
        }
        let deadline = shared.platform.now().monotonic.after(Wait::from_ms(ANSWER_MS_MAX));
        let answer = select! {
            biased;
            () = shared.ended.given() => return,
            answer = ask(&shared, server) => answer,
            () = shared.platform.sleep_until(deadline) => Err(Unanswered::Slow),
        };
        match answer {
            Ok(controllers) => {
                let nodes = controllers.keys().copied().collect();
                shared.addresses.find(controllers);
                // It fails when the turn loop has ended, which needs no other node.
                let _ = shared.from_peers.send(FromPeer::Found(nodes)).await;
            }
            Err(why) => {
                let now = shared.platform.now().monotonic;
                shared.complaints.write(now, || format!("{server} does not say who the controllers are: {why}"));
            }
        }
        if has_ended_after(&shared, LOOK_MS).await {
            return;
        }
    }
}

async fn has_ended_after<P: Platform>(shared: &Shared<P>, ms: i64) -> bool {
    let until = shared.platform.now().monotonic.after(Wait::from_ms(ms));
    select! {
        biased;
        () = shared.ended.given() => true,
        () = shared.platform.sleep_until(until) => false,
    }
}

async fn ask<P: Platform>(shared: &Shared<P>, server: &HostPort) -> Result<BTreeMap<NodeId, HostPort>, Unanswered> {
    let (reader, mut writer) = shared.platform.connect(&server.to_string()).await?;
    shared.platform.send(&mut writer, vec![Part::Bytes(controllers_request("gracchus")?)]).await?;
    let mut frames = FrameReader::new(reader, CONTROLLERS_BYTES_MAX);
    let length = frames.length().await?.ok_or(Unanswered::Closed)?;
    let controllers = controllers_of(frames.body(length).await?)?;
    if controllers.is_empty() {
        return Err(Unanswered::Nobody);
    }
    Ok(controllers.into_iter().map(|(node, (host, port))| (NodeId(node), HostPort { host, port })).collect())
}
