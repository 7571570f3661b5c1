//! Files in the data folder, by plain system calls that block the calling thread.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::{Shared, executor};
use crate::platform::{Disk, Space};

/// Pieces that one `pwritev` takes: Linux's IOV_MAX.
const PIECES_MAX: usize = 1024;

/// Locks on folders, held until the platform is gone.
pub(super) type Locks = Mutex<Vec<File>>;

/// The data folder.
#[derive(Debug)]
pub struct RealDisk {
    shared: Arc<Shared>,
}

/// An open file.
#[derive(Clone, Debug)]
pub struct RealFile(pub(super) Arc<File>);

impl RealDisk {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn full(&self, path: &Path) -> PathBuf {
        self.shared.data_dir.join(path)
    }
}

impl Disk for RealDisk {
    type File = RealFile;

    async fn create(&self, path: &Path) -> io::Result<RealFile> {
        let path = self.full(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(RealFile(Arc::new(file)))
    }

    async fn open(&self, path: &Path) -> io::Result<RealFile> {
        let file = OpenOptions::new().read(true).write(true).open(self.full(path))?;
        Ok(RealFile(Arc::new(file)))
    }

    async fn write_at(&self, file: &RealFile, at: u64, pieces: &[Bytes]) -> io::Result<()> {
        let mut at = at;
        for pieces in pieces.chunks(PIECES_MAX) {
            let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            at = write_all_at(&file.0, at, &mut slices)?;
        }
        Ok(())
    }

    async fn read_at(&self, file: &RealFile, at: u64, length: usize) -> io::Result<Bytes> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let read_so_far = u64::try_from(bytes.len()).expect("a length fits 64 bits");
            match rustix::io::pread(&file.0, spare_capacity(&mut bytes), at + read_so_far) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The allocator may have given more room than was asked for.
        bytes.truncate(length);
        Ok(bytes.into())
    }

    async fn sync(&self, file: &RealFile) -> io::Result<()> {
        file.0.sync_data()?;
        executor::note_synced();
        Ok(())
    }

    async fn truncate(&self, file: &RealFile, length: u64) -> io::Result<()> {
        file.0.set_len(length)
    }

    async fn allocate(&self, file: &RealFile, range: Range<u64>) -> io::Result<()> {
        match rustix::fs::fallocate(&file.0, FallocateFlags::empty(), range.start, range.end - range.start) {
            // A file system that can't make room ahead of time only extends the file.
            Err(Errno::OPNOTSUPP) if file.0.metadata()?.len() < range.end => file.0.set_len(range.end),
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn length(&self, file: &RealFile) -> io::Result<u64> {
        Ok(file.0.metadata()?.len())
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.full(from), self.full(to))
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        let path = self.full(path);
        if fs::symlink_metadata(&path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    }

    async fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(self.full(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = entries.map(|entry| Ok(PathBuf::from(entry?.file_name()))).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    async fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        File::open(self.full(folder))?.sync_all()
    }

    async fn lock(&self, path: &Path) -> io::Result<()> {
        let path = self.full(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                self.shared.locks.lock().unwrap_or_else(PoisonError::into_inner).push(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds the lock")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    async fn space(&self) -> io::Result<Space> {
        let space = rustix::fs::statvfs(&self.shared.data_dir)?;
        Ok(Space { free_bytes: space.f_bavail.saturating_mul(space.f_frsize), total_bytes: space.f_blocks.saturating_mul(space.f_frsize) })
    }
}

/// Writes all slices and says where the last one ends.
fn write_all_at(file: &File, mut at: u64, mut slices: &mut [IoSlice<'_>]) -> io::Result<u64> {
    // Drops empty slices at the front, which would read as a write of nothing.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match rustix::io::pwritev(file, slices, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += u64::try_from(written).expect("a length fits 64 bits");
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::Real;
    use super::executor::Lookers;
    use super::*;

    /// A disk on a fresh folder, which goes with the guard.
    fn disk() -> (RealDisk, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (RealDisk::new(Arc::clone(&Real::new(folder.path().to_owned(), false).shared)), folder)
    }

    #[test]
    fn pieces_come_back_as_they_were_written() {
        let (disk, _folder) = disk();
        executor::block_on(&Lookers::default(), async {
            let file = disk.create(Path::new("a/b/log")).await.unwrap();
            let mut pieces: Vec<Bytes> = (0..3000u32).map(|n| Bytes::copy_from_slice(&n.to_be_bytes())).collect();
            pieces.insert(0, Bytes::new());
            disk.write_at(&file, 5, &pieces).await.unwrap();

            assert_eq!(disk.length(&file).await.unwrap(), 12_005);
            assert_eq!(disk.read_at(&file, 5, 12_000).await.unwrap(), pieces.concat());
            assert_eq!(disk.read_at(&file, 12_001, 100).await.unwrap().len(), 4, "the file ends there");
            assert_eq!(disk.list(Path::new("a")).await.unwrap(), [PathBuf::from("b")]);
            assert_eq!(disk.list(Path::new("nowhere")).await.unwrap(), Vec::<PathBuf>::new());
        });
    }

    #[test]
    fn a_file_that_exists_is_not_created_again() {
        let (disk, _folder) = disk();
        executor::block_on(&Lookers::default(), async {
            disk.create(Path::new("log")).await.unwrap();
            assert_eq!(disk.create(Path::new("log")).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        });
    }

    #[test]
    fn a_locked_folder_is_refused_to_another_platform_until_the_first_is_gone() {
        let (first, folder) = disk();
        let second = RealDisk::new(Arc::clone(&Real::new(folder.path().to_owned(), false).shared));
        executor::block_on(&Lookers::default(), async {
            first.lock(Path::new(".lock")).await.unwrap();
            assert_eq!(second.lock(Path::new(".lock")).await.unwrap_err().kind(), io::ErrorKind::WouldBlock);
            drop(first);
            second.lock(Path::new(".lock")).await.unwrap();
        });
    }

    #[test]
    fn room_that_is_made_reads_as_zeros() {
        let (disk, _folder) = disk();
        executor::block_on(&Lookers::default(), async {
            let file = disk.create(Path::new("log")).await.unwrap();
            disk.allocate(&file, 0..8192).await.unwrap();
            assert_eq!(disk.read_at(&file, 0, 9000).await.unwrap(), vec![0; 8192]);
            assert!(disk.space().await.unwrap().free_bytes > 0);
        });
    }
}
