//! Puts a segment that compaction has made in the place of those that it was made of, durably and whole.
//!
//! The new segment's files are on disk under names of their own. A note says which segment it is, and is on disk before anything is touched; then
//! the new files take the first old one's names, the other old ones go, and what the snapshots say is set right. A crash in between is made up for
//! when the log is opened, by doing again what the note says. At every moment there is a batch on disk for every offset: the old ones go once the
//! new one has its name.

use std::path::Path;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use gracchus_core::boundary::{Generation, SealedSegment, StorageError};
use gracchus_core::offset::Offset;
use serde::{Deserialize, Serialize};

use super::batches::{CheckedBatches, Found};
use super::paths::{self, FileKind};
use super::snapshot::Snapshot;
use super::task::DiskTask;
use super::view::{Segment, View};
use super::{checkpoint, cut, failure};
use crate::platform::{Disk, Platform};

const MAGIC: &[u8; 8] = b"GRACSWAP";

/// What is to take the place of what.
#[derive(Debug)]
pub(super) struct Swap {
    /// The log's generation when this was made.
    pub(super) generation: Generation,
    /// Segments that go, one behind the other.
    pub(super) replaced: Vec<Segment>,
    /// What takes their place.
    pub(super) made: Option<Segment>,
    /// How far the log is clean then, if that is to be kept.
    pub(super) clean_upto: Option<Offset>,
    /// How long the files of those that go linger, in milliseconds.
    pub(super) file_delete_delay_ms: i64,
}

/// The versions that were ever written.
#[derive(Serialize, Deserialize)]
enum Versioned {
    V1(SealedSegment),
}

/// Puts the new segment in its place. None if the log is not what it was, or can't be told: then nothing is changed. Durable once it returns.
pub(super) async fn swap<P: Platform>(task: &DiskTask<P>, view: &View, swap: &Swap) -> Result<Option<Vec<SealedSegment>>, StorageError> {
    if place_of(view, swap).is_none() {
        return Ok(None);
    }
    let mut sealed = Vec::new();
    if let Some(made) = swap.made {
        let note = encode(made.sealed());
        if let Err(error) = checkpoint::replace(&task.disk, &view.folder, checkpoint::SWAP.as_ref(), note).await {
            tracing::warn!(folder = %view.folder.display(), %error, "could not put a compacted segment in its place");
            checkpoint::remove_if_there(&task.disk, &view.folder.join(checkpoint::SWAP)).await.map_err(|error| failure::from_io(&error))?;
            return Ok(None);
        }
        {
            // Readers find files by name: none looks for one meanwhile.
            let _alone = view.swaps.write().await;
            view.swaps_seen.fetch_add(1, Ordering::Relaxed);
            name(task, &view.folder, made.base_offset).await?;
            // One that has failed meanwhile has nothing to be looked for in, and is opened by what is on disk.
            if let Some(first) = place_of(view, swap) {
                let mut state = view.lock();
                state.segments.splice(first..first + swap.replaced.len(), [made]);
                task.shared.tail_shrank(state.forget_tail_below(made.end_offset));
            }
        }
        for old in &swap.replaced {
            task.shared.files.forget(old.number);
            if old.base_offset != made.base_offset {
                cut::retire_files(task, &view.folder, old.base_offset, swap.file_delete_delay_ms).await?;
            }
        }
        conclude(task, &view.folder, &made.sealed()).await?;
        sealed.push(made.sealed());
    }
    if let Some(clean_upto) = swap.clean_upto {
        let content = checkpoint::encode_offset(clean_upto);
        // Without it the next compaction has more to do.
        if let Err(error) = checkpoint::replace(&task.disk, &view.folder, checkpoint::CLEAN_UPTO.as_ref(), content).await {
            tracing::warn!(folder = %view.folder.display(), %error, "could not keep how far a log is compacted");
        }
    }
    Ok(Some(sealed))
}

/// Where the log has the segments that go, if it still has them and they are closed.
fn place_of(view: &View, swap: &Swap) -> Option<usize> {
    let state = view.lock();
    if state.generation != Some(swap.generation) {
        return None;
    }
    let Some(first) = swap.replaced.first() else { return Some(0) };
    let place = state.segments.iter().position(|segment| segment.number == first.number)?;
    let present = state.segments.iter().skip(place).take(swap.replaced.len());
    (place + swap.replaced.len() < state.segments.len() && present.eq(&swap.replaced)).then_some(place)
}

/// Finishes a swap that a crash or a failure has interrupted. False if there was none.
pub(super) async fn finish<P: Platform>(task: &DiskTask<P>, folder: &Path, names: &[std::path::PathBuf]) -> Result<bool, StorageError> {
    if !names.iter().any(|name| name.as_os_str() == checkpoint::SWAP) {
        return Ok(false);
    }
    let note = checkpoint::read_checked(&task.disk, &folder.join(checkpoint::SWAP), decode).await.map_err(|error| failure::from_io(&error))?;
    let Some(made) = note.flatten() else {
        return Err(failure::corrupt(format!("{}/{}", folder.display(), checkpoint::SWAP)));
    };
    name(task, folder, made.base_offset).await?;
    if !is_in_place(task, folder, &made).await? {
        // The note has outlived what it speaks of: nothing was touched yet.
        checkpoint::remove_if_there(&task.disk, &folder.join(checkpoint::SWAP)).await.map_err(|error| failure::from_io(&error))?;
        cut::sync_folder(task, folder).await?;
        return Ok(true);
    }
    let is_old = |base: &Offset| *base > made.base_offset && *base < made.end_offset;
    for base in names.iter().filter_map(|name| paths::parse_segment_file(name, FileKind::Log)).filter(is_old) {
        cut::retire_files(task, folder, base, 0).await?;
    }
    conclude(task, folder, &made).await?;
    Ok(true)
}

/// Whether the segment that has the name is the new one: its batches end where that one does.
async fn is_in_place<P: Platform>(task: &DiskTask<P>, folder: &Path, made: &SealedSegment) -> Result<bool, StorageError> {
    let path = paths::segment_file(folder, made.base_offset, FileKind::Log);
    let file = match task.disk.open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failure::from_io(&error)),
    };
    if task.disk.length(&file).await.map_err(|error| failure::from_io(&error))? != made.bytes {
        return Ok(false);
    }
    let mut batches = CheckedBatches::new(&task.disk, &file, 0, made.bytes);
    let mut end_offset = made.base_offset;
    while batches.position() < made.bytes {
        match batches.next().await? {
            Found::Batch { header, .. } => end_offset = header.next_offset(),
            Found::End | Found::Bad(_) => return Err(failure::corrupt(format!("{}: no batch at byte {}", path.display(), batches.position()))),
        }
    }
    Ok(end_offset == made.end_offset)
}

/// Gives the new segment's files their names. Those that have them already are left.
async fn name<P: Platform>(task: &DiskTask<P>, folder: &Path, base_offset: Offset) -> Result<(), StorageError> {
    for kind in FileKind::ALL {
        let (from, to) = (paths::cleaned_file(folder, base_offset, kind), paths::segment_file(folder, base_offset, kind));
        match task.disk.rename(&from, &to).await {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failure::from_io(&error)),
        }
    }
    cut::sync_folder(task, folder).await
}

/// Sets right what the snapshots say, and forgets the note.
async fn conclude<P: Platform>(task: &DiskTask<P>, folder: &Path, made: &SealedSegment) -> Result<(), StorageError> {
    let names = task.disk.list(folder).await.map_err(|error| failure::from_io(&error))?;
    for upto in names.iter().filter_map(|name| paths::parse_snapshot_file(name)) {
        let path = paths::snapshot_file(folder, upto);
        let read = checkpoint::read_checked(&task.disk, &path, Snapshot::decode).await.map_err(|error| failure::from_io(&error))?;
        // One that can't be read is not used either.
        let Some(snapshot) = read.flatten() else { continue };
        match snapshot.compacted(made) {
            Some(changed) => {
                let name = paths::snapshot_file(Path::new(""), upto);
                checkpoint::replace(&task.disk, folder, &name, changed.encode()).await.map_err(|error| failure::from_io(&error))?;
            }
            None => checkpoint::remove_if_there(&task.disk, &path).await.map_err(|error| failure::from_io(&error))?,
        }
    }
    cut::sync_folder(task, folder).await?;
    checkpoint::remove_if_there(&task.disk, &folder.join(checkpoint::SWAP)).await.map_err(|error| failure::from_io(&error))?;
    cut::sync_folder(task, folder).await
}

pub(super) fn encode(made: SealedSegment) -> Bytes {
    checkpoint::seal(MAGIC, &Versioned::V1(made))
}

fn decode(content: &[u8]) -> Option<SealedSegment> {
    let Versioned::V1(made) = checkpoint::unseal(MAGIC, content)?;
    Some(made)
}
