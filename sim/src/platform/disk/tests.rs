use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn disk(seed: u64) -> SimDisk {
    SimDisk::new(seed, DiskFaults::default())
}

async fn write(disk: &SimDisk, path: &str, bytes: &'static [u8]) -> SimFile {
    let file = disk.create(Path::new(path)).await.unwrap();
    disk.write_at(&file, 0, &[Bytes::from_static(bytes)]).await.unwrap();
    file
}

#[test]
fn a_synced_file_under_synced_names_survives_a_power_loss() {
    block_on(async {
        let disk = disk(1);
        let file = write(&disk, "a/b/c", b"kept").await;
        disk.sync(&file).await.unwrap();
        for folder in ["a/b", "a", ""] {
            disk.sync_dir(Path::new(folder)).await.unwrap();
        }
        let disk = disk.lose_power();
        let file = disk.open(Path::new("a/b/c")).await.unwrap();
        assert_eq!(&*disk.read_at(&file, 0, 100).await.unwrap(), b"kept");
        assert_eq!(disk.files(), BTreeMap::from([(PathBuf::from("a/b/c"), b"kept".to_vec())]));
    });
}

#[test]
fn a_name_that_was_not_synced_may_be_lost_though_its_bytes_were() {
    let survivors = (0..100).filter(|&seed| {
        block_on(async {
            let disk = disk(seed);
            let file = write(&disk, "a", b"bytes").await;
            disk.sync(&file).await.unwrap();
            !disk.lose_power().list(Path::new("")).await.unwrap().is_empty()
        })
    });
    let survivors = survivors.count();
    assert!((10..90).contains(&survivors), "{survivors}");
}

#[test]
fn a_rename_is_kept_or_lost_as_a_whole() {
    for seed in 0..100 {
        block_on(async {
            let disk = disk(seed);
            for (path, bytes) in [("old", b"old" as &[u8]), ("new", b"new")] {
                let file = write(&disk, path, bytes).await;
                disk.sync(&file).await.unwrap();
            }
            disk.sync_dir(Path::new("")).await.unwrap();
            disk.rename(Path::new("new"), Path::new("old")).await.unwrap();
            let files = disk.lose_power().files();
            let old = files.get(Path::new("old")).map(Vec::as_slice);
            match files.len() {
                1 => assert_eq!(old, Some(b"new" as &[u8])),
                2 => assert_eq!(old, Some(b"old" as &[u8])),
                count => panic!("{count} files"),
            }
        });
    }
}

#[test]
fn a_crash_keeps_the_cache_and_kills_the_handles() {
    block_on(async {
        let before = disk(1);
        let file = write(&before, "a", b"cached").await;
        before.lock(Path::new("lock")).await.unwrap();
        assert!(before.lock(Path::new("lock")).await.is_err());
        let after = before.crash();
        assert!(before.read_at(&file, 0, 1).await.is_err());
        assert!(before.create(Path::new("b")).await.is_err());
        assert!(after.write_at(&file, 0, &[Bytes::from_static(b"C")]).await.is_ok(), "the file itself lives on");
        after.lock(Path::new("lock")).await.unwrap();
        let file = after.open(Path::new("a")).await.unwrap();
        assert_eq!(&*after.read_at(&file, 0, 100).await.unwrap(), b"Cached");
    });
}

#[test]
fn a_full_disk_takes_a_part_and_says_so() {
    block_on(async {
        let disk = SimDisk::new(1, DiskFaults { capacity_bytes: 10, ..DiskFaults::default() });
        let file = disk.create(Path::new("a")).await.unwrap();
        let error = disk.write_at(&file, 0, &[Bytes::from_static(b"eight by"), Bytes::from_static(b"tes")]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.length(&file).await.unwrap(), 10);
        assert_eq!(disk.space().await.unwrap(), Space { free_bytes: 0, total_bytes: 10 });
        disk.remove(Path::new("a")).await.unwrap();
        assert_eq!(disk.space().await.unwrap().free_bytes, 10);
        assert_eq!(&*disk.read_at(&file, 0, 5).await.unwrap(), b"eight", "an open file stays readable");
    });
}

#[test]
fn a_folder_goes_with_all_that_is_in_it() {
    block_on(async {
        let disk = disk(1);
        write(&disk, "a/b", b"1").await;
        write(&disk, "a/c", b"2").await;
        disk.rename(Path::new("a"), Path::new("d")).await.unwrap();
        assert_eq!(disk.list(Path::new("d")).await.unwrap(), [PathBuf::from("b"), PathBuf::from("c")]);
        disk.remove(Path::new("d")).await.unwrap();
        assert!(disk.list(Path::new("")).await.unwrap().is_empty());
        assert!(disk.open(Path::new("d/b")).await.is_err());
    });
}

#[test]
fn a_bit_that_rots_stays_flipped_and_one_that_flips_on_reading_does_not() {
    block_on(async {
        let disk = disk(1);
        let file = write(&disk, "a", b"xyz").await;
        assert!(disk.rot(Path::new("a"), 1, 0));
        assert_eq!(&*disk.read_at(&file, 0, 3).await.unwrap(), b"xxz");
        disk.set_faults(DiskFaults { read_flip: 1_000_000, ..DiskFaults::default() });
        assert_ne!(&*disk.read_at(&file, 0, 3).await.unwrap(), b"xxz");
        disk.set_faults(DiskFaults::default());
        assert_eq!(&*disk.read_at(&file, 0, 3).await.unwrap(), b"xxz");
    });
}

#[test]
fn equal_seeds_give_equal_traces() {
    let run = |seed| {
        block_on(async {
            let disk = disk(seed);
            let file = write(&disk, "a", b"some bytes").await;
            disk.sync(&file).await.unwrap();
            let disk = disk.lose_power();
            (disk.trace_hash(), disk.files())
        })
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}
