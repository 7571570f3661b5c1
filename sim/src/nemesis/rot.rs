//! Bits that flip on a disk while nobody looks.

use std::path::{Path, PathBuf};

use gracchus_core::record::BatchHeader;

use crate::platform::disk::SimDisk;

/// The bytes of a batch before this one are outside of its checksum, or are the checksum.
const CHECKED_FROM: usize = 21;

/// A batch on disk.
struct Place {
    file: PathBuf,
    at: usize,
    bytes: usize,
}

/// Flips a bit for good in a batch that is on disk, of a topic that exists all along. The file, if there was such a batch.
pub(super) fn flip(disk: &SimDisk, choice: u64) -> Option<PathBuf> {
    let files = disk.files();
    let places: Vec<Place> = files.iter().filter(|(file, _)| is_log(file)).flat_map(|(file, bytes)| batches(file, bytes)).collect();
    let pick = |count: usize, shift: u32| (choice >> shift).checked_rem(count as u64).and_then(|picked| usize::try_from(picked).ok());
    let Place { file, at, bytes } = places.get(pick(places.len(), 0)?)?;
    let place = at + CHECKED_FROM + pick(bytes - CHECKED_FROM, 24)?;
    disk.rot(file, place as u64, u32::try_from(choice >> 61).expect("three bits are left")).then(|| file.clone())
}

fn is_log(file: &Path) -> bool {
    file.to_str().is_some_and(|path| path.starts_with("topic-") && path.ends_with(".log"))
}

fn batches(file: &Path, bytes: &[u8]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(Ok(header)) = bytes.get(at..).map(BatchHeader::parse) {
        let length = usize::try_from(header.batch_bytes).expect("a batch in memory has a length that fits");
        places.push(Place { file: file.to_owned(), at, bytes: length });
        at += length;
    }
    places
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use gracchus_core::record::{Codec, check_crc};
    use gracchus_core::time::Timestamp;
    use gracchus_server::platform::Disk;

    use super::*;
    use crate::history::{Batch, RecordId, Session};
    use crate::platform::disk::DiskFaults;

    #[test]
    fn a_flipped_bit_breaks_one_batch_and_its_checksum_tells() {
        let disk = SimDisk::new(1, DiskFaults::default());
        let first = |number| RecordId { session: Session(0), number };
        let batch = |number| Batch { first: first(number), count: 3, timestamp: Timestamp(1_000), codec: Codec::None }.build(None);
        let file = Path::new("topic-0-0/00000000000000000000.log");
        let bytes = [batch(0), batch(3)];
        run(async {
            let open = disk.create(file).await.unwrap();
            disk.write_at(&open, 0, &bytes).await.unwrap();
            disk.sync(&open).await.unwrap();
            disk.sync_dir(Path::new("topic-0-0")).await.unwrap();
            disk.sync_dir(Path::new("")).await.unwrap();
        });
        assert_eq!(flip(&disk, 0x1234_5678_9abc_def0).as_deref(), Some(file));
        let after = disk.with_durable(file, <[u8]>::to_vec).unwrap();
        let (first, second) = after.split_at(bytes[0].len());
        assert_eq!([first, second].into_iter().filter(|batch| check_crc(batch).is_err()).count(), 1);
    }

    fn run(task: impl Future<Output = ()>) {
        let mut task = pin!(task);
        while task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
    }
}
