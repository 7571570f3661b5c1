//! `gracchus log dump`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::error::CliError;
use super::index::{IndexKind, dump_index};
use super::report::Report;
use super::segment::dump_segment;
use super::snapshot::dump_snapshot;

/// Show batches, and say where they are corrupt.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus log dump gracchus-data/orders-0
  gracchus log dump gracchus-data/orders-0/00000000000000000000.log --records
  gracchus log dump gracchus-data --problems
  gracchus log dump gracchus-data/orders-0 --json | jq 'select(.problem)'

Checks every batch's checksum and that offsets follow on from each other, and ends with status 1 where something is wrong. Works
on Apache Kafka's folders too. A running broker may be writing the end of what is read: stop it, or ask again.")]
pub struct DumpArgs {
    /// Files (.log, .index, .timeindex, or .checkpoint: snapshots of the cluster's metadata), or folders with them.
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,
    /// Show each record too.
    #[arg(long, short)]
    records: bool,
    /// Show only what is wrong.
    #[arg(long, conflicts_with = "records")]
    problems: bool,
    /// Offsets may be missing between batches: the log was compacted.
    #[arg(long)]
    compacted: bool,
    /// Print JSON: an object for each batch, index entry and problem.
    #[arg(long)]
    json: bool,
}

/// A file that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Segment,
    Index(IndexKind),
    Snapshot,
}

pub(super) fn run(args: &DumpArgs) -> Result<(), CliError> {
    let mut files = Vec::new();
    for path in &args.paths {
        files.extend(files_at(path)?);
    }
    let mut report = Report::new(args.json, args.problems, args.records);
    // Where the next segment of a folder has to start.
    let mut expected: Option<(PathBuf, i64)> = None;
    for (path, kind) in files {
        let base_offset = base_offset(&path);
        report.start_file(&path)?;
        match kind {
            FileKind::Index(kind) => dump_index(&path, kind, base_offset.unwrap_or(0), &mut report)?,
            FileKind::Snapshot => dump_snapshot(&path, &mut report)?,
            FileKind::Segment => {
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                let follows = expected.take().filter(|(before, _)| *before == folder).map(|(_, next)| next);
                let starts_at = if args.compacted { base_offset } else { follows.or(base_offset) };
                let next = dump_segment(&path, starts_at, args.compacted, &mut report)?;
                expected = next.map(|next| (folder, next));
            }
        }
    }
    report.finish()
}

/// The file that was named, or what is in the folder.
fn files_at(path: &Path) -> Result<Vec<(PathBuf, FileKind)>, CliError> {
    let failed = |error| CliError::failure(format!("{} can't be read: {error}", path.display()));
    let mut files = Vec::new();
    if fs::metadata(path).map_err(failed)?.is_dir() {
        collect(path, &mut files).map_err(failed)?;
    } else {
        files.extend(kind_of(path).map(|kind| (path.to_owned(), kind)));
    }
    if files.is_empty() {
        return Err(CliError::failure(format!(
            "{} is no .log, .index, .timeindex or .checkpoint file, nor a folder that holds one",
            path.display()
        )));
    }
    Ok(files)
}

/// Finds a folder's files and those of folders in it, in the order of their names.
fn collect(folder: &Path, files: &mut Vec<(PathBuf, FileKind)>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, files)?;
        } else if let Some(kind) = kind_of(&entry)
            // Other files may end in .log too, but for a name in figures.
            && (base_offset(&entry).is_some() || kind == FileKind::Snapshot)
        {
            files.push((entry, kind));
        }
    }
    Ok(())
}

fn kind_of(path: &Path) -> Option<FileKind> {
    match path.extension()?.to_str()? {
        "log" => Some(FileKind::Segment),
        "index" => Some(FileKind::Index(IndexKind::Offset)),
        "timeindex" => Some(FileKind::Index(IndexKind::Time)),
        "checkpoint" => Some(FileKind::Snapshot),
        _ => None,
    }
}

/// The offset in a segment file's name.
fn base_offset(path: &Path) -> Option<i64> {
    path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok())
}
