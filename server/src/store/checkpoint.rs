//! Small files that are replaced whole: whoever reads one after a crash finds the old content or the new, never a mixture.

use std::io;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use gracchus_core::ids::{TopicId, Uuid};
use gracchus_core::offset::Offset;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::paths::{UNFINISHED_FILE, with_suffix};
use crate::platform::Disk;

/// A log's first offset, once it is not that of its first segment.
pub(super) const LOG_START: &str = "log-start-offset-checkpoint";
/// Which topic a partition's folder belongs to (KIP-516).
pub(super) const PARTITION_METADATA: &str = "partition.metadata";
/// Where each leader epoch starts (KIP-101).
pub(super) const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// How far a log is compacted, under Kafka's name for the file that says so of all logs.
pub(super) const CLEAN_UPTO: &str = "cleaner-offset-checkpoint";
/// There while a compacted segment takes the place of others.
pub(super) const SWAP: &str = "compacted-segment";
/// There while batches may lie behind others that are not on disk: the log is `replicated`, or was until a moment ago.
pub(super) const LAX: &str = "written-ahead-of-sync";
/// The quorum's vote (KIP-595).
pub(super) const QUORUM_STATE: &str = "quorum-state";

/// Replaces `folder/name`, durably once it returns.
pub(super) async fn replace<D: Disk>(disk: &D, folder: &Path, name: &Path, content: Bytes) -> io::Result<()> {
    let path = folder.join(name);
    let unfinished = with_suffix(&path, UNFINISHED_FILE);
    let file = create_anew(disk, &unfinished).await?;
    disk.write_at(&file, 0, &[content]).await?;
    disk.sync(&file).await?;
    disk.rename(&unfinished, &path).await?;
    disk.sync_dir(folder).await
}

/// Creates an empty file, in place of one that an earlier attempt may have left.
pub(super) async fn create_anew<D: Disk>(disk: &D, path: &Path) -> io::Result<D::File> {
    match disk.create(path).await {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(path).await?;
            disk.create(path).await
        }
        created => created,
    }
}

async fn read<D: Disk>(disk: &D, path: &Path) -> io::Result<Option<Bytes>> {
    let file = match disk.open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(disk.length(&file).await?).map_err(io::Error::other)?;
    disk.read_at(&file, 0, length).await.map(Some)
}

/// The content of a file as `decode` understands it; `None` if there is no such file, `Some(None)` if it is not understood.
pub(super) async fn read_checked<D: Disk, T>(disk: &D, path: &Path, decode: impl Fn(&[u8]) -> Option<T>) -> io::Result<Option<Option<T>>> {
    let content = read_until(disk, path, |content| decode(content).is_some()).await?;
    Ok(content.map(|content| decode(&content)))
}

/// The content of a file; `None` if there is no such file. A bit may flip on the way: what is not as `expected` has to read the same twice
/// in a row before it is believed.
pub(super) async fn read_until<D: Disk>(disk: &D, path: &Path, expected: impl Fn(&[u8]) -> bool) -> io::Result<Option<Bytes>> {
    let mut before = None;
    loop {
        let content = read(disk, path).await?;
        if content.as_deref().is_none_or(&expected) || before == content {
            return Ok(content);
        }
        before = content;
    }
}

/// A value as a file's content: `magic`, the CRC-32C of the rest, the rest.
pub(super) fn seal<T: Serialize>(magic: &[u8], value: &T) -> Bytes {
    let body = postcard::to_stdvec(value).expect("plain data serialises");
    let mut content = BytesMut::with_capacity(magic.len() + 4 + body.len());
    content.put_slice(magic);
    content.put_u32(crc_fast::crc32_iscsi(&body));
    content.put_slice(&body);
    content.freeze()
}

/// Reads what [`seal`] wrote; `None` for anything else.
pub(super) fn unseal<T: DeserializeOwned>(magic: &[u8], content: &[u8]) -> Option<T> {
    let (crc, body) = content.strip_prefix(magic)?.split_first_chunk()?;
    if u32::from_be_bytes(*crc) != crc_fast::crc32_iscsi(body) {
        return None;
    }
    postcard::from_bytes(body).ok()
}

/// Removes a file that may not be there.
pub(super) async fn remove_if_there<D: Disk>(disk: &D, path: &Path) -> io::Result<()> {
    match disk.remove(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// An offset as text: a version, the offset, and the CRC-32C of both lines.
pub(super) fn encode_offset(offset: Offset) -> Bytes {
    let lines = format!("0\n{offset}\n");
    let crc = crc_fast::crc32_iscsi(lines.as_bytes());
    Bytes::from(format!("{lines}{crc:08x}\n"))
}

/// Reads what [`encode_offset`] wrote; `None` for anything else.
pub(super) fn decode_offset(content: &[u8]) -> Option<Offset> {
    let text = std::str::from_utf8(content).ok()?;
    let mut lines = text.lines();
    let (version, offset, _crc) = (lines.next()?, lines.next()?, lines.next()?);
    let offset = Offset(offset.parse().ok()?);
    (version == "0" && encode_offset(offset) == content).then_some(offset)
}

/// The content of `partition.metadata`.
pub(super) fn encode_partition_metadata(topic: TopicId) -> Bytes {
    Bytes::from(format!("version: 0\ntopic_id: {topic}\n"))
}

/// The topic that `partition.metadata` names; `None` if it is not what [`encode_partition_metadata`] or Kafka writes.
pub(super) fn decode_partition_metadata(content: &[u8]) -> Option<TopicId> {
    let text = std::str::from_utf8(content).ok()?;
    let mut topic = None;
    for line in text.lines() {
        let (name, value) = line.split_once(':')?;
        match name.trim() {
            "version" if value.trim() == "0" => {}
            "topic_id" => topic = Uuid::parse(value.trim()),
            _ => return None,
        }
    }
    topic.map(TopicId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_start_survives_a_round_trip_and_a_flipped_bit_does_not_pass() {
        let content = encode_offset(Offset(12_345));
        assert_eq!(decode_offset(&content), Some(Offset(12_345)));
        for at in 0..content.len() {
            let mut flipped = content.to_vec();
            flipped[at] ^= 1;
            assert_eq!(decode_offset(&flipped), None, "byte {at}");
        }
    }

    #[test]
    fn partition_metadata_is_kafkas() {
        let topic = TopicId(Uuid([9; 16]));
        let content = encode_partition_metadata(topic);
        assert_eq!(content, Bytes::from(format!("version: 0\ntopic_id: {topic}\n")));
        assert_eq!(decode_partition_metadata(&content), Some(topic));
        assert_eq!(decode_partition_metadata(b""), None);
        assert_eq!(decode_partition_metadata(b"version: 0\ntopic_id: nonsense\n"), None);
    }
}
