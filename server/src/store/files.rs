//! Files kept open for reuse, so that an append or a read seldom opens one and the number of open files stays bounded.
//!
//! A handle is found under the number of the file, which is given once and never again: a file that replaces another under the same
//! path has a number of its own, so a handle never stands for other bytes than those asked for.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use super::paths::FileKind;
use crate::platform::Disk;

/// A segment's number within this run of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentNumber(pub(super) u64);

/// Names an open file.
pub(super) type FileKey = (SegmentNumber, FileKind);

/// The open files, the least recently used making room.
#[derive(Debug)]
pub(super) struct OpenFiles<F> {
    state: Mutex<State<F>>,
    files_max: usize,
}

#[derive(Debug)]
struct State<F> {
    files: BTreeMap<FileKey, (F, u64)>,
    by_use: BTreeMap<u64, FileKey>,
    uses: u64,
}

impl<F: Clone> OpenFiles<F> {
    /// Room for `files_max` files.
    pub(super) fn new(files_max: u32) -> Self {
        let state = State { files: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0 };
        Self { state: Mutex::new(state), files_max: usize::try_from(files_max.max(1)).unwrap_or(usize::MAX) }
    }

    /// The handle, if the file is open.
    pub(super) fn get(&self, key: FileKey) -> Option<F> {
        self.lock().touch(key)
    }

    /// Keeps a handle.
    pub(super) fn insert(&self, key: FileKey, file: F) {
        let mut state = self.lock();
        state.remove(key);
        state.uses += 1;
        let used = state.uses;
        state.files.insert(key, (file, used));
        state.by_use.insert(used, key);
        while state.files.len() > self.files_max {
            let Some((_, oldest)) = state.by_use.pop_first() else { break };
            state.files.remove(&oldest);
        }
    }

    /// Lets go of a segment's files.
    pub(super) fn forget(&self, segment: SegmentNumber) {
        let mut state = self.lock();
        for kind in FileKind::ALL {
            state.remove((segment, kind));
        }
    }

    /// The handle; opens the file at `path` if it is not open.
    pub(super) async fn get_or_open<D: Disk<File = F>>(&self, disk: &D, key: FileKey, path: &Path) -> io::Result<F> {
        if let Some(file) = self.get(key) {
            return Ok(file);
        }
        let file = disk.open(path).await?;
        self.insert(key, file.clone());
        Ok(file)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<F>> {
        self.state.lock().expect("no panic happens under this lock")
    }
}

impl<F: Clone> State<F> {
    fn touch(&mut self, key: FileKey) -> Option<F> {
        self.uses += 1;
        let uses = self.uses;
        let (file, used) = self.files.get_mut(&key)?;
        self.by_use.remove(used);
        *used = uses;
        self.by_use.insert(uses, key);
        Some(file.clone())
    }

    fn remove(&mut self, key: FileKey) {
        if let Some((_, used)) = self.files.remove(&key) {
            self.by_use.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_file_makes_room() {
        let key = |number| (SegmentNumber(number), FileKind::Log);
        let open = OpenFiles::new(2);
        open.insert(key(1), "one");
        open.insert(key(2), "two");
        assert_eq!(open.get(key(1)), Some("one"));
        open.insert(key(3), "three");
        assert_eq!(open.get(key(2)), None);
        assert_eq!(open.get(key(1)), Some("one"));
        open.forget(SegmentNumber(1));
        assert_eq!(open.get(key(1)), None);
        assert_eq!(open.get(key(3)), Some("three"));
    }
}
