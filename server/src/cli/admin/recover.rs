//! `gracchus cluster recover`: makes a quorum of what is left, when a majority of the metadata's voters is gone for good.
//!
//! It works on a data folder whose node does not run. A record that says who votes is appended to the metadata log, in an epoch behind all
//! that this node knows of, and the vote is kept for that epoch before: a crash in between leaves an epoch that nobody led. What other
//! voters had committed and this node had not received is gone, and nobody can say whether there was anything. So it has to be asked for.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gracchus_core::boundary::{ElectionState, LogSettings, StorageDone, StorageOp};
use gracchus_core::broker::{Endpoint, metadata_log_settings};
use gracchus_core::config::BrokerConfigs;
use gracchus_core::epoch::QuorumEpoch;
use gracchus_core::ids::{CLUSTER_METADATA_TOPIC, LogId};
use gracchus_core::metadata::{MetadataLog, MetadataRecord, MetadataSnapshot, VoterRegistration};
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::error::CliError;
use crate::format::{FormattedVoter, Identity, identity, parse_voter};
use crate::platform::real::Real;
use crate::store::{Store, StoreSettings};

/// Bytes that are read at once.
const READ_BYTES: u32 = 1 << 20;

/// Make a metadata quorum of what is left, when a majority of its voters is gone for good.
///
/// Stop every node that is left. Run this without --yes on each of their data folders, and choose the one whose metadata ends last: the
/// greatest epoch, then the greatest offset. Run it there with --yes and start that node first, then the others. What other voters had
/// committed and this folder does not have is LOST: topics, settings and leaders of partitions may be those of a while ago, and records that
/// only lost nodes had are gone. While a majority of the voters can still be started, start it instead.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus cluster recover --data-dir /var/lib/gracchus
  gracchus cluster recover --data-dir /var/lib/gracchus --yes
  gracchus cluster recover --data-dir /var/lib/gracchus --yes \\
      --voters 1@10.0.0.1:9093:JEXY6aqzQY-32P5TStzaFg,4@10.0.0.4:9093:MvDxzVmcRsaTz33bUuRU6A")]
pub struct RecoverArgs {
    /// The data folder of a node that does not run.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Who votes from here on, ID@HOST:PORT:DIRECTORY each, with commas between them; this node alone if not said. Others can be added later
    /// while the cluster runs.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse)]
    voters: Vec<VoterRegistration>,
    /// Do it. Without this the folder is only looked at.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn parse(text: &str) -> Result<VoterRegistration, String> {
    let (node, FormattedVoter { directory, address }) = parse_voter(text).map_err(str::to_owned)?;
    let endpoint = Endpoint { listener: "CONTROLLER".into(), host: address.host, port: address.port };
    Ok(VoterRegistration { node, directory, endpoints: vec![endpoint] })
}

#[derive(Debug, Serialize)]
struct Report {
    cluster_id: String,
    node: i32,
    directory: String,
    /// The latest epoch that this node knows of, before.
    epoch: i32,
    /// Where its metadata ends, before.
    metadata_end: i64,
    /// Who votes by its metadata, before; nobody where only the settings say.
    voters: Vec<Named>,
    /// Who votes from here on.
    new_voters: Vec<Named>,
    is_recovered: bool,
}

#[derive(Debug, Serialize)]
struct Named {
    id: i32,
    directory: String,
}

pub(super) async fn run(args: RecoverArgs) -> Result<(), CliError> {
    let identity = identity(&args.data_dir).map_err(|error| CliError::failure(error.to_string()))?;
    let identity = identity.ok_or_else(|| CliError::failure(format!("{} is no formatted data folder", args.data_dir.display())))?;
    let voters = new_voters(&args, &identity)?;
    let mut folder = Folder::open(&args.data_dir).await?;
    let recovered = folder.recover(&identity, voters, args.yes).await;
    // The store is stopped whatever came of it: so the next start finds its logs as they were.
    folder.store.stop(false).await;
    let report = recovered?;
    tell(&report, args.json).map_err(CliError::output)?;
    if report.is_recovered { Ok(()) } else { Err(CliError::failure("nothing is changed: --yes is missing")) }
}

fn new_voters(args: &RecoverArgs, identity: &Identity) -> Result<Vec<VoterRegistration>, CliError> {
    if args.voters.is_empty() {
        return Ok(vec![VoterRegistration { node: identity.node, directory: identity.directory, endpoints: Vec::new() }]);
    }
    let mut voters = args.voters.clone();
    voters.sort_by_key(|voter| voter.node);
    if voters.windows(2).any(|pair| matches!(pair, [left, right] if left.node == right.node)) {
        return Err(CliError::usage("--voters names a node twice"));
    }
    if !voters.iter().any(|voter| voter.node == identity.node && voter.directory == identity.directory) {
        return Err(CliError::usage(format!("--voters leaves out {identity}, whose folder this is")));
    }
    Ok(voters)
}

/// A data folder that no node has.
struct Folder {
    store: Store<Real>,
    completions: UnboundedReceiver<StorageDone>,
}

impl Folder {
    async fn open(path: &Path) -> Result<Self, CliError> {
        let started = Store::start(Real::new(path.to_owned(), false), StoreSettings::default()).await;
        let (store, completions) = started.map_err(|error| CliError::failure(format!("{}: {error}; is its node stopped?", path.display())))?;
        Ok(Self { store, completions })
    }

    /// Waits for what `is_it` picks.
    async fn done<T>(&mut self, mut is_it: impl FnMut(StorageDone) -> Option<T>) -> Result<T, CliError> {
        loop {
            match self.completions.recv().await {
                Some(StorageDone::Failed { log, error }) => return Err(CliError::failure(format!("{log}: {error}"))),
                Some(done) => {
                    if let Some(found) = is_it(done) {
                        return Ok(found);
                    }
                }
                None => return Err(CliError::failure("the store has ended")),
            }
        }
    }

    async fn recover(&mut self, identity: &Identity, voters: Vec<VoterRegistration>, does_it: bool) -> Result<Report, CliError> {
        self.store.submit(StorageOp::LoadElection);
        let election = self.done(|done| if let StorageDone::Election(last) = done { Some(last) } else { None }).await?;
        let (mut metadata, before) = self.read_metadata().await?;
        let in_log = metadata.last_epoch().map(|latest| QuorumEpoch(latest.0));
        let epoch = election.map(|election| election.quorum_epoch).max(in_log).unwrap_or(QuorumEpoch::ZERO);
        let named = |voters: &[VoterRegistration]| {
            voters.iter().map(|voter| Named { id: voter.node.0, directory: voter.directory.to_string() }).collect()
        };
        let report = Report {
            cluster_id: identity.cluster_id.clone(),
            node: identity.node.0,
            directory: identity.directory.to_string(),
            epoch: epoch.0,
            metadata_end: metadata.log().end().0,
            voters: named(&before),
            new_voters: named(&voters),
            is_recovered: does_it,
        };
        if does_it {
            self.append(&mut metadata, epoch.next(), voters).await?;
        }
        Ok(report)
    }

    /// The metadata log, and who votes by it and the snapshot before it.
    async fn read_metadata(&mut self) -> Result<(MetadataLog, Vec<VoterRegistration>), CliError> {
        self.store.submit(StorageOp::LoadMetadataSnapshots);
        let (snapshots, latest) =
            self.done(|done| if let StorageDone::MetadataSnapshots { found, latest } = done { Some((found, latest)) } else { None }).await?;
        let settings: LogSettings = metadata_log_settings(&BrokerConfigs::default());
        self.store.submit(StorageOp::Open { log: LogId::Metadata, topic: CLUSTER_METADATA_TOPIC.into(), settings });
        let opened = self.done(|done| if let StorageDone::Opened { recovered, .. } = done { Some(recovered) } else { None }).await?;
        if opened.damaged {
            return Err(CliError::failure("the metadata log is damaged: what it says of the cluster can't be relied on"));
        }
        let joined = MetadataLog::recovered(&opened, &snapshots, now());
        let (mut metadata, storage) = joined.map_err(|unjoined| CliError::failure(format!("the metadata log can't be used: {unjoined}")))?;
        storage.into_iter().for_each(|op| self.store.submit(op));
        let image = latest.map(|content| MetadataSnapshot::decode(&content)).transpose();
        let image = image.map_err(|unsound| CliError::failure(format!("the snapshot of the metadata can't be read: {unsound}")))?;
        let voters = image.map(|snapshot| snapshot.image.voters).unwrap_or_default();
        while let Some((from, upto)) = metadata.unread() {
            self.store.submit(StorageOp::Read { log: LogId::Metadata, from, upto, bytes_max: READ_BYTES });
            let batches = self.done(|done| if let StorageDone::Read { batches, .. } = done { Some(batches) } else { None }).await?;
            metadata.read(&batches).map_err(|error| CliError::failure(error.to_string()))?;
        }
        let voters = metadata.unapplied_voters().map_or(voters, <[VoterRegistration]>::to_vec);
        Ok((metadata, voters))
    }

    async fn append(&mut self, metadata: &mut MetadataLog, epoch: QuorumEpoch, voters: Vec<VoterRegistration>) -> Result<(), CliError> {
        let election = ElectionState { quorum_epoch: epoch, voted_for: None };
        self.store.submit(StorageOp::KeepElection(election.clone()));
        self.done(|done| (done == StorageDone::ElectionKept(election.clone())).then_some(())).await?;
        let (_, appends) = metadata.append(&[MetadataRecord::Voters { voters }], epoch, now());
        appends.into_iter().for_each(|append| self.store.submit(append));
        let end: Offset = metadata.log().end();
        self.done(|done| matches!(done, StorageDone::Synced { log: LogId::Metadata, end_offset, .. } if end_offset >= end).then_some(())).await
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn tell(report: &Report, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        return writeln!(out, "{}", serde_json::to_string_pretty(report).expect("plain values serialise"));
    }
    let list = |voters: &[Named]| {
        let named = voters.iter().map(|voter| format!("{} (directory {})", voter.id, voter.directory)).collect::<Vec<_>>().join(", ");
        if named.is_empty() { "those of the settings".to_owned() } else { named }
    };
    writeln!(
        out,
        "node {} of cluster {}: metadata to offset {} in epoch {}",
        report.node, report.cluster_id, report.metadata_end, report.epoch
    )?;
    writeln!(out, "voters until now: {}", list(&report.voters))?;
    writeln!(out, "voters from here on: {}", list(&report.new_voters))?;
    if report.is_recovered {
        return writeln!(out, "Done. Start this node, then the others; add voters with gracchus cluster add-voter.");
    }
    writeln!(
        out,
        "What other voters had committed behind offset {} WILL BE LOST: topics, settings, who leads partitions",
        report.metadata_end
    )?;
    writeln!(out, "and is in sync with them. Choose the folder whose metadata ends last (epoch, then offset), with every node stopped.")
}
