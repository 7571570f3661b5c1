//! Which logs a stop left with everything on disk, so that the next start need not write their ends again.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{checkpoint, paths};
use crate::platform::Disk;

const FILE: &str = ".clean-shutdown";

/// Writes down the folders of logs that are on disk as a whole.
pub(super) async fn keep<D: Disk>(disk: &D, folders: &BTreeSet<PathBuf>) -> io::Result<()> {
    checkpoint::replace(disk, paths::root(), Path::new(FILE), encode(folders)).await
}

/// Takes the list that the last stop left; empty after a crash. It is gone from the disk before anything is written there.
pub(super) async fn take<D: Disk>(disk: &D) -> io::Result<BTreeSet<PathBuf>> {
    let folders = checkpoint::read_checked(disk, Path::new(FILE), decode).await?;
    if folders.is_some() {
        disk.remove(Path::new(FILE)).await?;
    }
    // Also without a list: an earlier start may have removed it and failed here.
    disk.sync_dir(paths::root()).await?;
    Ok(folders.flatten().unwrap_or_default())
}

/// A folder a line, behind the CRC-32C of all lines.
fn encode(folders: &BTreeSet<PathBuf>) -> Bytes {
    let lines: String = folders.iter().map(|folder| format!("{}\n", folder.display())).collect();
    Bytes::from(format!("{:08x}\n{lines}", crc_fast::crc32_iscsi(lines.as_bytes())))
}

fn decode(content: &[u8]) -> Option<BTreeSet<PathBuf>> {
    let (crc, lines) = std::str::from_utf8(content).ok()?.split_once('\n')?;
    let is_whole = crc == format!("{:08x}", crc_fast::crc32_iscsi(lines.as_bytes()));
    is_whole.then(|| lines.lines().map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_survives_a_round_trip_and_damage_is_seen() {
        let folders = BTreeSet::from([PathBuf::from("a-0"), PathBuf::from("b.c-12")]);
        let content = encode(&folders);
        assert_eq!(decode(&content), Some(folders));
        for at in 0..content.len() {
            let mut flipped = content.to_vec();
            flipped[at] ^= 1;
            assert_eq!(decode(&flipped), None, "byte {at}");
        }
        assert_eq!(decode(&encode(&BTreeSet::new())), Some(BTreeSet::new()));
    }
}
