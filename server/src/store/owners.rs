//! Which log has which folder in this run, and which logs wait for one.
//!
//! A folder bears a topic's name, and a topic that is deleted and created anew is another log by the same name. The new one gets the folder
//! only when the old one is removed and nothing is under way for it: until then either could take the other's files for its own.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use gracchus_core::ids::LogId;

/// The folders of a run. `W` is how a log that waits is told.
#[derive(Debug)]
pub(super) struct Owners<W> {
    folders: Mutex<BTreeMap<PathBuf, Owned<W>>>,
}

#[derive(Debug)]
struct Owned<W> {
    owner: LogId,
    waiting: VecDeque<(LogId, W)>,
}

impl<W> Owners<W> {
    /// All folders are free.
    pub(super) fn new() -> Self {
        Self { folders: Mutex::default() }
    }

    /// Takes a folder for a log and says whether it has it. If another has, the log is the next but those that wait already, and `waker`
    /// comes out of [`release`](Self::release) when its turn has come.
    pub(super) fn claim(&self, folder: &Path, log: LogId, waker: W) -> bool {
        let mut folders = self.lock();
        match folders.get_mut(folder) {
            Some(owned) if owned.owner == log => true,
            Some(owned) => {
                owned.waiting.push_back((log, waker));
                false
            }
            None => {
                folders.insert(folder.to_owned(), Owned { owner: log, waiting: VecDeque::new() });
                true
            }
        }
    }

    /// Gives up a log's folder. Returns the log that has it from here on, if one waited.
    pub(super) fn release(&self, folder: &Path, log: LogId) -> Option<(LogId, W)> {
        let mut folders = self.lock();
        let owned = folders.get_mut(folder).filter(|owned| owned.owner == log)?;
        match owned.waiting.pop_front() {
            Some((next, waker)) => {
                owned.owner = next;
                Some((next, waker))
            }
            None => {
                folders.remove(folder);
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Owned<W>>> {
        self.folders.lock().expect("no panic happens under this lock")
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::ids::{PartitionIndex, TopicId, TopicPartition, Uuid};

    use super::*;

    fn log(number: u8) -> LogId {
        LogId::Partition(TopicPartition { topic: TopicId(Uuid([number; 16])), partition: PartitionIndex(0) })
    }

    #[test]
    fn logs_have_a_folder_one_after_the_other() {
        let (owners, folder) = (Owners::new(), Path::new("t-0"));
        assert!(owners.claim(folder, log(1), "one"));
        assert!(owners.claim(folder, log(1), "one again"));
        assert!(!owners.claim(folder, log(2), "two"));
        assert!(!owners.claim(folder, log(3), "three"));
        assert_eq!(owners.release(folder, log(2)), None);
        assert_eq!(owners.release(folder, log(1)), Some((log(2), "two")));
        assert!(owners.claim(folder, log(2), "two"));
        assert_eq!(owners.release(folder, log(2)), Some((log(3), "three")));
        assert_eq!(owners.release(folder, log(3)), None);
        assert!(owners.claim(folder, log(4), "four"));
    }
}
