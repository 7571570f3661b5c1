//! What shortens a log: truncation at its end, trimming at its start, removal.
//!
//! No byte that a reader may have seen is overwritten: what truncation keeps of a segment is copied to a new file that takes the old one's
//! name, and a file that is dropped is renamed at once and removed after a delay, while those who have it open read on.

use std::path::Path;

use gracchus_core::boundary::{Generation, StorageError};
use gracchus_core::ids::Uuid;
use gracchus_core::offset::Offset;
use gracchus_core::time::{Timestamp, Wait};

use super::batches::{CheckedBatches, Found};
use super::janitor::Chore;
use super::log::Log;
use super::paths::{self, DELETED_FILE, FileKind, UNFINISHED_FILE};
use super::segment::ActiveSegment;
use super::task::DiskTask;
use super::view::Segment;
use super::{checkpoint, failure, sync};
use crate::platform::{Disk, Platform};

/// Bytes that are copied with one write.
const COPY_BYTES: u64 = 1 << 20;

/// Drops everything from `to` on, or from the start of the batch that `to` lies in; a log that starts later starts there. Durable once it
/// returns.
pub(super) async fn truncate<P: Platform>(task: &DiskTask<P>, log: &mut Log<P>, to: Offset) -> Result<Generation, StorageError> {
    let generation = task.shared.next_generation();
    let mut segments = {
        let mut state = log.view.lock();
        task.shared.tail_shrank(state.tail_batches());
        state.forget_tail();
        // From here on what was decided before is void, so nobody looks for the segments while they change.
        state.generation = Some(generation);
        std::mem::take(&mut state.segments)
    };
    log.give_back(task).await?;
    log.sync(task).await?;
    if to < log.end_offset {
        log.active = None;
        remove_snapshots_above(task, &log.folder, to).await?;
        while let Some(last) = segments.pop_if(|last| last.base_offset >= to) {
            retire(task, log, &last).await?;
            sync_folder(task, &log.folder).await?;
        }
        if let Some(last) = segments.last_mut().filter(|last| last.end_offset > to) {
            let kept = copy(task, &log.folder, last, to).await?;
            task.shared.files.forget(last.number);
            *last = kept;
        }
        log.end_offset = segments.last().map_or(to, |last| last.end_offset);
        log.epochs.truncate_to(log.end_offset);
        log.epochs_changed = true;
        lower_clean_upto(task, &log.folder, log.end_offset).await?;
        if log.end_offset < log.view.lock().log_start {
            keep_log_start(task, log, log.end_offset).await?;
        }
        if let Some(last) = segments.last() {
            log.active = Some(ActiveSegment::resume(task, &log.folder, *last).await?);
        }
    }
    log.view.lock().segments = segments;
    Ok(generation)
}

/// Moves the log's start up to `log_start` and drops the segments that lie below it as a whole. Durable once it returns. A log that ends below
/// begins anew there, and nothing is known of what came before.
pub(super) async fn trim<P: Platform>(task: &DiskTask<P>, log: &mut Log<P>, log_start: Offset) -> Result<(), StorageError> {
    if log_start <= log.view.lock().log_start {
        return Ok(());
    }
    log.make_folder(task).await?;
    log.sync(task).await?;
    keep_log_start(task, log, log_start).await?;
    let begins_anew = log_start > log.end_offset;
    if begins_anew {
        log.end_offset = log_start;
    }
    log.epochs.trim_to(log_start, log.end_offset);
    log.epochs_changed = true;
    let is_below = |segment: &Segment| segment.end_offset <= log_start && (segment.bytes > 0 || begins_anew);
    let dropped: Vec<Segment> = {
        let mut state = log.view.lock();
        let dropped = state.segments.iter().take_while(|segment| is_below(segment)).count();
        let dropped = state.segments.drain(..dropped).collect();
        if state.segments.is_empty() {
            task.shared.tail_shrank(state.tail_batches());
            state.forget_tail();
            log.active = None;
        }
        dropped
    };
    for segment in &dropped {
        retire(task, log, segment).await?;
    }
    Ok(())
}

/// Takes a partition's folder away: nothing is found under its name once this returns.
pub(super) async fn remove<P: Platform>(task: &DiskTask<P>, folder: &Path, file_delete_delay_ms: i64) -> Result<(), StorageError> {
    assert!(folder != paths::metadata_folder(), "the metadata log is never taken away");
    let mut unique = [0; 16];
    for (unique, random) in unique.iter_mut().zip(task.shared.platform.entropy()) {
        *unique = random;
    }
    let deleted = paths::deleted_folder(folder, Uuid(unique));
    match task.disk.rename(folder, &deleted).await {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failure::from_io(&error)),
    }
    sync_folder(task, paths::root()).await?;
    remove_later(task, deleted, file_delete_delay_ms);
    Ok(())
}

/// Copies the batches below `to` to a new file that takes the segment's place, checking each on the way.
pub(super) async fn copy<P: Platform>(task: &DiskTask<P>, folder: &Path, segment: &Segment, to: Offset) -> Result<Segment, StorageError> {
    let path = paths::segment_file(folder, segment.base_offset, FileKind::Log);
    let unfinished = paths::with_suffix(&path, UNFINISHED_FILE);
    let from = task.segment_file(folder, segment, FileKind::Log).await?;
    let copied = checkpoint::create_anew(&task.disk, &unfinished).await.map_err(|error| failure::from_io(&error))?;
    let mut kept = Segment {
        number: task.shared.next_segment(),
        base_offset: segment.base_offset,
        end_offset: segment.base_offset,
        bytes: 0,
        max_timestamp: Timestamp::NONE,
    };
    let mut batches = CheckedBatches::new(&task.disk, &from, 0, segment.bytes);
    let (mut pieces, mut written, mut is_complete) = (Vec::new(), 0, segment.bytes == 0);
    while !is_complete {
        match batches.next().await? {
            Found::Batch { header, .. } if header.next_offset() > to => is_complete = true,
            Found::Batch { header, bytes } => {
                kept.end_offset = header.next_offset();
                kept.bytes += u64::from(header.batch_bytes);
                kept.max_timestamp = kept.max_timestamp.max(header.max_timestamp);
                pieces.push(bytes);
                is_complete = kept.bytes == segment.bytes;
            }
            Found::End | Found::Bad(_) => return Err(failure::corrupt(format!("{}: no batch at byte {}", path.display(), kept.bytes))),
        }
        if kept.bytes - written >= COPY_BYTES || (is_complete && !pieces.is_empty()) {
            task.disk.write_at(&copied, written, &pieces).await.map_err(|error| failure::from_io(&error))?;
            pieces.clear();
            written = kept.bytes;
        }
    }
    sync::sync_file(task, &copied).await?;
    task.disk.rename(&unfinished, &path).await.map_err(|error| failure::from_io(&error))?;
    sync_folder(task, folder).await?;
    task.shared.files.insert((kept.number, FileKind::Log), copied);
    Ok(kept)
}

/// Removes a segment's files after the log's delay; their names are free at once.
pub(super) async fn retire<P: Platform>(task: &DiskTask<P>, log: &Log<P>, segment: &Segment) -> Result<(), StorageError> {
    task.shared.files.forget(segment.number);
    retire_files(task, &log.folder, segment.base_offset, log.settings.file_delete_delay_ms).await
}

/// The same for a segment that is not open.
pub(super) async fn retire_files<P: Platform>(
    task: &DiskTask<P>,
    folder: &Path,
    base_offset: Offset,
    file_delete_delay_ms: i64,
) -> Result<(), StorageError> {
    for kind in FileKind::ALL {
        let path = paths::segment_file(folder, base_offset, kind);
        let deleted = paths::with_suffix(&path, DELETED_FILE);
        match task.disk.rename(&path, &deleted).await {
            Ok(()) => remove_later(task, deleted, file_delete_delay_ms),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failure::from_io(&error)),
        }
    }
    Ok(())
}

fn remove_later<P: Platform>(task: &DiskTask<P>, path: std::path::PathBuf, delay_ms: i64) {
    let at = task.shared.platform.now().monotonic.after(Wait::from_ms(delay_ms));
    // Without a janitor the node is stopping, and the next start removes it.
    let _ = task.shared.chores.send(Chore::Remove { path, at });
}

async fn keep_log_start<P: Platform>(task: &DiskTask<P>, log: &mut Log<P>, log_start: Offset) -> Result<(), StorageError> {
    let content = checkpoint::encode_offset(log_start);
    let kept = checkpoint::replace(&task.disk, &log.folder, checkpoint::LOG_START.as_ref(), content).await;
    kept.map_err(|error| failure::from_io(&error))?;
    log.view.lock().log_start = log_start;
    Ok(())
}

/// What will lie behind `to` is not compacted, whatever lay there before.
pub(super) async fn lower_clean_upto<P: Platform>(task: &DiskTask<P>, folder: &Path, to: Offset) -> Result<(), StorageError> {
    let kept = checkpoint::read_checked(&task.disk, &folder.join(checkpoint::CLEAN_UPTO), checkpoint::decode_offset).await;
    if kept.map_err(|error| failure::from_io(&error))?.flatten().is_some_and(|clean_upto| clean_upto > to) {
        let content = checkpoint::encode_offset(to);
        let lowered = checkpoint::replace(&task.disk, folder, checkpoint::CLEAN_UPTO.as_ref(), content).await;
        lowered.map_err(|error| failure::from_io(&error))?;
    }
    Ok(())
}

async fn remove_snapshots_above<P: Platform>(task: &DiskTask<P>, folder: &Path, to: Offset) -> Result<(), StorageError> {
    let names = task.disk.list(folder).await.map_err(|error| failure::from_io(&error))?;
    for name in names {
        if paths::parse_snapshot_file(&name).is_some_and(|upto| upto > to) {
            task.disk.remove(&folder.join(name)).await.map_err(|error| failure::from_io(&error))?;
        }
    }
    sync_folder(task, folder).await
}

/// Makes the names in a folder durable.
pub(super) async fn sync_folder<P: Platform>(task: &DiskTask<P>, folder: &Path) -> Result<(), StorageError> {
    task.disk.sync_dir(folder).await.map_err(|error| failure::from_io(&error))
}
