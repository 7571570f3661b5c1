//! Who coordinates a group, asked for anew while that changes.
//!
//! A coordinator that moves refuses with NOT_COORDINATOR, one that has just come with COORDINATOR_LOAD_IN_PROGRESS, and one that is gone not at
//! all: each time it is looked for again, for as long as `--timeout` says.

use kafka_wire::find_coordinator_request::FindCoordinatorRequest;
use kafka_wire::{FindCoordinatorResponse, RequestResponsePair};
use kafka_wire_core::StrBytes;

use super::super::cluster::{Cluster, Refusal, Retry};
use super::super::error::CliError;
use super::super::link::Link;

/// A group, among what has a coordinator.
const KEY_GROUP: i8 = 0;

/// A broker that coordinates a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coordinator {
    /// The broker.
    pub(super) node: i32,
    /// Where it is: `HOST:PORT`.
    pub(super) address: String,
}

/// The coordinator of a group.
pub(super) async fn find(cluster: &mut Cluster, group: &str) -> Result<Coordinator, CliError> {
    let mut request = FindCoordinatorRequest::default();
    request.key_type = KEY_GROUP;
    request.coordinator_keys = vec![StrBytes::from(group)];
    let found = cluster.ask(&request, read).await?;
    found.map_err(|refusal| refusal.failed(&format!("group {group} has no coordinator")))
}

fn read(response: FindCoordinatorResponse) -> Result<Coordinator, Refusal> {
    let found = response.coordinators.into_iter().next().unwrap_or_default();
    Refusal::check(found.error_code, found.error_message.as_ref())?;
    Ok(Coordinator { node: found.node_id, address: format!("{}:{}", found.host, found.port) })
}

/// Asks a group's coordinator, at version `ceiling` at most, until the answer is not a passing refusal.
pub(super) async fn ask<Q, T>(
    cluster: &mut Cluster,
    group: &str,
    (request, ceiling): (&Q, i16),
    mut read: impl FnMut(Q::Response) -> Result<T, Refusal>,
) -> Result<(Coordinator, Result<T, Refusal>), CliError>
where
    Q: RequestResponsePair,
{
    let mut retry = Retry::within(cluster.timeout());
    loop {
        let coordinator = find(cluster, group).await?;
        let answered = match Link::open(&coordinator.address, cluster.timeout()).await {
            Ok(mut link) => link.call_up_to(ceiling, request).await,
            Err(error) => Err(error),
        };
        match answered.map(&mut read) {
            Err(error) if error.is_passing() && retry.pause().await => {}
            Err(error) => return Err(error.into()),
            Ok(Err(refusal)) if refusal.passes() && retry.pause().await => {}
            Ok(answer) => return Ok((coordinator, answer)),
        }
    }
}
