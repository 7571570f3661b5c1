//! Names of files and folders, as Kafka has them.

use std::path::{Path, PathBuf};

use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{LogId, PartitionIndex, TopicName, Uuid};
use gracchus_core::metadata::SnapshotId;
use gracchus_core::offset::Offset;

/// Ends the name of a folder whose log is deleted.
const DELETED_FOLDER: &str = "-delete";
/// Ends the name of a file that waits to be removed.
pub(super) const DELETED_FILE: &str = ".deleted";
/// Ends the name of a file of a segment that compaction has made and that has not taken its place yet.
pub(super) const CLEANED_FILE: &str = ".cleaned";
/// Ends the name of a file that is not complete: it is renamed when it is.
pub(super) const UNFINISHED_FILE: &str = ".tmp";
/// A topic's name in a deleted folder's name is cut to this, so that the whole stays below 255 bytes.
const DELETED_NAME_MAX: usize = 200;

/// What a segment is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileKind {
    /// The batches.
    Log,
    /// Offsets to positions.
    OffsetIndex,
    /// Timestamps to offsets.
    TimeIndex,
}

impl FileKind {
    /// All kinds.
    pub(super) const ALL: [Self; 3] = [Self::Log, Self::OffsetIndex, Self::TimeIndex];

    fn extension(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::OffsetIndex => "index",
            Self::TimeIndex => "timeindex",
        }
    }
}

/// The data folder itself.
pub(super) fn root() -> &'static Path {
    Path::new("")
}

/// The folder of a log.
pub(super) fn log_folder(log: LogId, topic: &TopicName) -> PathBuf {
    match log {
        LogId::Metadata => metadata_folder(),
        LogId::Partition(partition) => PathBuf::from(format!("{topic}-{}", partition.partition)),
    }
}

/// The folder of the metadata log.
pub(super) fn metadata_folder() -> PathBuf {
    PathBuf::from(LogId::Metadata.to_string())
}

/// The partition in the name of a folder, if it is that of a data partition's log.
pub(super) fn parse_partition_folder(name: &Path) -> Option<PartitionIndex> {
    if name == metadata_folder() {
        return None;
    }
    let (_, partition) = name.to_str()?.rsplit_once('-')?;
    partition.parse().ok().map(PartitionIndex)
}

/// The name that a log's folder gets when it is deleted. `unique` keeps it apart from an earlier one of that name.
pub(super) fn deleted_folder(folder: &Path, unique: Uuid) -> PathBuf {
    let name: String = folder.to_string_lossy().chars().take(DELETED_NAME_MAX).collect();
    PathBuf::from(format!("{name}.{unique}{DELETED_FOLDER}"))
}

/// Whether a name in the data folder is that of a deleted log.
pub(super) fn is_deleted_folder(name: &Path) -> bool {
    name.to_string_lossy().ends_with(DELETED_FOLDER)
}

/// A file of a segment.
pub(super) fn segment_file(folder: &Path, base_offset: Offset, kind: FileKind) -> PathBuf {
    folder.join(format!("{:020}.{}", base_offset.0, kind.extension()))
}

/// A file of a segment that compaction makes.
pub(super) fn cleaned_file(folder: &Path, base_offset: Offset, kind: FileKind) -> PathBuf {
    with_suffix(&segment_file(folder, base_offset, kind), CLEANED_FILE)
}

/// A snapshot's file.
pub(super) fn snapshot_file(folder: &Path, upto: Offset) -> PathBuf {
    folder.join(format!("{:020}.snapshot", upto.0))
}

/// The base offset in the name of a segment's `kind` of file, if it is one.
pub(super) fn parse_segment_file(name: &Path, kind: FileKind) -> Option<Offset> {
    parse_numbered(name, kind.extension())
}

/// The offset in the name of a snapshot's file, if it is one.
pub(super) fn parse_snapshot_file(name: &Path) -> Option<Offset> {
    parse_numbered(name, "snapshot")
}

/// The file of a snapshot of the cluster's metadata.
pub(super) fn metadata_snapshot_file(folder: &Path, id: SnapshotId) -> PathBuf {
    folder.join(format!("{:020}-{:010}.checkpoint", id.end_offset.0, id.leader_epoch.0))
}

/// The snapshot of the cluster's metadata in the name of a file, if it is one.
pub(super) fn parse_metadata_snapshot_file(name: &Path) -> Option<SnapshotId> {
    let (end_offset, leader_epoch) = name.to_str()?.strip_suffix(".checkpoint")?.split_once('-')?;
    let are_numbers = [(end_offset, 20), (leader_epoch, 10)];
    if !are_numbers.into_iter().all(|(number, length)| number.len() == length && number.bytes().all(|digit| digit.is_ascii_digit())) {
        return None;
    }
    Some(SnapshotId { end_offset: Offset(end_offset.parse().ok()?), leader_epoch: LeaderEpoch(leader_epoch.parse().ok()?) })
}

/// The same path with `suffix` behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn parse_numbered(name: &Path, extension: &str) -> Option<Offset> {
    let stem = name.to_str()?.strip_suffix(extension)?.strip_suffix('.')?;
    if stem.len() != 20 || !stem.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    stem.parse().ok().map(Offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segments_name_says_its_base_offset() {
        let path = segment_file(Path::new("t-0"), Offset(42), FileKind::TimeIndex);
        assert_eq!(path, Path::new("t-0/00000000000000000042.timeindex"));
        let name = Path::new(path.file_name().unwrap());
        assert_eq!(parse_segment_file(name, FileKind::TimeIndex), Some(Offset(42)));
        assert_eq!(parse_segment_file(name, FileKind::OffsetIndex), None);
        assert_eq!(parse_segment_file(Path::new("42.log"), FileKind::Log), None);
    }

    #[test]
    fn a_metadata_snapshots_name_says_where_it_ends() {
        let id = SnapshotId { end_offset: Offset(42), leader_epoch: LeaderEpoch(7) };
        let path = metadata_snapshot_file(Path::new(""), id);
        assert_eq!(path, Path::new("00000000000000000042-0000000007.checkpoint"));
        assert_eq!(parse_metadata_snapshot_file(&path), Some(id));
        assert_eq!(parse_metadata_snapshot_file(Path::new("00000000000000000042-0000000007.checkpoint.tmp")), None);
        assert_eq!(parse_metadata_snapshot_file(Path::new("00000000000000000042-99999999999.checkpoint")), None);
        assert_eq!(parse_metadata_snapshot_file(Path::new("leader-epoch-checkpoint")), None);
    }

    #[test]
    fn a_deleted_folder_is_known_by_its_name_and_fits_the_file_system() {
        let folder = PathBuf::from(format!("{}-0", "x".repeat(249)));
        let deleted = deleted_folder(&folder, Uuid([7; 16]));
        assert!(is_deleted_folder(&deleted));
        assert!(deleted.as_os_str().len() < 255);
        assert!(!is_deleted_folder(Path::new("a.b-delete-0")));
        assert_eq!(parse_partition_folder(Path::new("a.b-delete-12")), Some(PartitionIndex(12)));
        assert_eq!(parse_partition_folder(&deleted), None);
        assert_eq!(parse_partition_folder(&metadata_folder()), None);
    }
}
