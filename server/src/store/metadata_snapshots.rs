//! Snapshots of the cluster's metadata (KIP-630): the core's bytes, a file each beside the metadata log, named as Kafka names its own.
//!
//! What is always true: a file of that name is whole, unless the disk has harmed it since. They are other than a log's recovery snapshots
//! ([`snapshot`](super::snapshot)), which say how far its files are sound.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use gracchus_core::boundary::StorageError;
use gracchus_core::limits::METADATA_SNAPSHOTS_KEPT;
use gracchus_core::metadata::{FoundSnapshots, MetadataSnapshot, SnapshotId};

use super::{checkpoint, failure, paths};
use crate::platform::Disk;

/// Keeps a snapshot, durably once it returns, and removes all but the latest.
pub(super) async fn keep<D: Disk>(disk: &D, id: SnapshotId, content: Bytes) -> Result<(), StorageError> {
    let folder = paths::metadata_folder();
    let name = paths::metadata_snapshot_file(Path::new(""), id);
    checkpoint::replace(disk, &folder, &name, content).await.map_err(|error| failure::from_io(&error))?;
    // The folder itself may be new.
    disk.sync_dir(paths::root()).await.map_err(|error| failure::from_io(&error))?;
    let names = names(disk, &folder).await?;
    for old in names.iter().rev().skip(METADATA_SNAPSHOTS_KEPT) {
        let removed = checkpoint::remove_if_there(disk, &paths::metadata_snapshot_file(&folder, *old)).await;
        removed.map_err(|error| failure::from_io(&error))?;
    }
    Ok(())
}

/// Finds out which snapshots are sound, and reads the latest of them. What is damaged stays where it is: whoever runs the node may want it.
pub(super) async fn load<D: Disk>(disk: &D) -> Result<(FoundSnapshots, Option<Bytes>), StorageError> {
    let folder = paths::metadata_folder();
    let mut found = FoundSnapshots::default();
    let mut latest = None;
    for id in names(disk, &folder).await? {
        let path = paths::metadata_snapshot_file(&folder, id);
        match read_checked(disk, &path).await? {
            Some(content) => {
                found.sound.push(id);
                latest = Some(content);
            }
            None => {
                tracing::error!(file = %path.display(), "a snapshot of the cluster's metadata is damaged");
                found.damaged.push(id);
            }
        }
    }
    Ok((found, latest))
}

/// Reads a piece of a snapshot, and says how long the whole is; none if it is gone.
pub(super) async fn read<D: Disk>(disk: &D, id: SnapshotId, position: u64, bytes_max: u32) -> Result<Option<(Bytes, u64)>, StorageError> {
    let read = async {
        let file = disk.open(&paths::metadata_snapshot_file(&paths::metadata_folder(), id)).await?;
        let length = disk.length(&file).await?;
        let bytes = length.saturating_sub(position).min(bytes_max.into());
        let piece = disk.read_at(&file, position, usize::try_from(bytes).expect("bounded by 32 bits")).await?;
        Ok((piece, length))
    };
    match read.await {
        Ok(piece) => Ok(Some(piece)),
        Err(error) if std::io::Error::kind(&error) == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure::from_io(&error)),
    }
}

/// The snapshots that there are, by name, ascending.
async fn names<D: Disk>(disk: &D, folder: &Path) -> Result<Vec<SnapshotId>, StorageError> {
    let names: Vec<PathBuf> = disk.list(folder).await.map_err(|error| failure::from_io(&error))?;
    let mut ids: Vec<SnapshotId> = names.iter().filter_map(|name| paths::parse_metadata_snapshot_file(name)).collect();
    ids.sort_unstable();
    Ok(ids)
}

async fn read_checked<D: Disk>(disk: &D, path: &Path) -> Result<Option<Bytes>, StorageError> {
    let is_sound = |content: &[u8]| MetadataSnapshot::check(content).is_ok();
    let content = checkpoint::read_until(disk, path, is_sound).await.map_err(|error| failure::from_io(&error))?;
    Ok(content.filter(|content| is_sound(content)))
}
