//! The tree of names, twice: as programs see it and as the disk has it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};

use crate::draw::Draw;

/// A file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) u64);

/// A folder, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FolderId(u64);

const ROOT: FolderId = FolderId(0);

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    File(FileId),
    Folder(FolderId),
}

type Entries = BTreeMap<OsString, Entry>;

#[derive(Clone, Debug, Default)]
struct Folder {
    seen: Entries,
    durable: Entries,
}

/// A change of names that is kept or lost as a whole: for a rename, both names.
#[derive(Clone, Debug)]
struct NameChange {
    steps: Vec<(FolderId, OsString, Option<Entry>)>,
}

impl NameChange {
    fn touches(&self, folders: &BTreeSet<FolderId>) -> bool {
        self.steps.iter().any(|(folder, ..)| folders.contains(folder))
    }
}

/// Which of the two trees is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// As programs see it.
    Seen,
    /// As a power loss would leave it, if it took everything that may be lost.
    Durable,
}

/// A tree of names.
#[derive(Clone, Debug)]
pub(super) struct Names {
    folders: BTreeMap<FolderId, Folder>,
    pending: Vec<NameChange>,
    next: u64,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { folders: BTreeMap::from([(ROOT, Folder::default())]), pending: Vec::new(), next: 1 }
    }

    /// Names a new file, and makes the folders above it.
    pub(super) fn create(&mut self, path: &Path) -> io::Result<FileId> {
        let (parents, name) = split(path)?;
        let mut folder = ROOT;
        for parent in parents {
            folder = match self.entry(folder, &parent, View::Seen) {
                Some(Entry::Folder(folder)) => folder,
                Some(Entry::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => self.make_folder(folder, parent),
            };
        }
        if self.entry(folder, &name, View::Seen).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = FileId(self.number());
        self.change(vec![(folder, name, Some(Entry::File(file)))]);
        Ok(file)
    }

    /// The file of a name.
    pub(super) fn file(&self, path: &Path, view: View) -> io::Result<FileId> {
        let (folder, name) = self.locate(path, view)?;
        match self.entry(folder, &name, view) {
            Some(Entry::File(file)) => Ok(file),
            Some(Entry::Folder(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Names what `from` names `to`, and returns the file that lost its name by that.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<Option<FileId>> {
        let (from_folder, from_name) = self.locate(from, View::Seen)?;
        let (to_folder, to_name) = self.locate(to, View::Seen)?;
        let entry = self.entry(from_folder, &from_name, View::Seen).ok_or(io::ErrorKind::NotFound)?;
        let replaced = match self.entry(to_folder, &to_name, View::Seen) {
            Some(there) if there == entry => return Ok(None),
            Some(Entry::File(file)) => Some(file),
            Some(Entry::Folder(_)) => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            None => None,
        };
        self.change(vec![(from_folder, from_name, None), (to_folder, to_name, Some(entry))]);
        Ok(replaced)
    }

    /// Takes a name away, and returns the files that lost theirs by that.
    pub(super) fn remove(&mut self, path: &Path) -> io::Result<Vec<FileId>> {
        let (folder, name) = self.locate(path, View::Seen)?;
        let entry = self.entry(folder, &name, View::Seen).ok_or(io::ErrorKind::NotFound)?;
        let mut files = Vec::new();
        match entry {
            Entry::File(file) => files.push(file),
            Entry::Folder(inside) => self.walk(inside, View::Seen, &mut PathBuf::new(), &mut |_, file| files.push(file)),
        }
        self.change(vec![(folder, name, None)]);
        Ok(files)
    }

    /// The names in a folder, up to `last` and with it, or all; sorted. None if there is no such folder. Takes only what is looked at.
    pub(super) fn list(&self, path: &Path, last: Option<&OsStr>, view: View) -> impl DoubleEndedIterator<Item = &OsStr> {
        let entries = self.folder(path, view).ok().and_then(|folder| self.entries(folder, view));
        let last = last.map_or(Bound::Unbounded, Bound::Included);
        entries.into_iter().flat_map(move |entries| entries.range::<OsStr, _>((Bound::Unbounded, last)).map(|(name, _)| name.as_os_str()))
    }

    /// The names in a folder are on disk.
    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        let mut folders = BTreeSet::from([self.folder(path, View::Seen)?]);
        // A rename between folders takes along what it builds on: a journal keeps its order.
        let mut due: Vec<bool> = Vec::new();
        for change in self.pending.iter().rev() {
            let is_due = change.touches(&folders);
            if is_due {
                folders.extend(change.steps.iter().map(|(folder, ..)| *folder));
            }
            due.push(is_due);
        }
        let mut due = due.into_iter().rev();
        let (settled, pending) = std::mem::take(&mut self.pending).into_iter().partition(|_| due.next().unwrap_or(false));
        self.pending = pending;
        for change in settled {
            self.settle(change);
        }
        Ok(())
    }

    /// Decides which pending changes had reached the disk, and forgets the others.
    pub(super) fn lose_power(&mut self, draw: &mut Draw) {
        let kept_per_million = draw.pick(&[0, 0, 500_000, 900_000, 1_000_000]);
        for change in std::mem::take(&mut self.pending) {
            if draw.chance(kept_per_million) {
                self.settle(change);
            }
        }
        for folder in self.folders.values_mut() {
            folder.seen.clone_from(&folder.durable);
        }
    }

    /// Every file with its path.
    pub(super) fn files(&self, view: View) -> Vec<(PathBuf, FileId)> {
        let mut files = Vec::new();
        self.walk(ROOT, view, &mut PathBuf::new(), &mut |path, file| files.push((path.to_owned(), file)));
        files
    }

    fn walk(&self, folder: FolderId, view: View, path: &mut PathBuf, visit: &mut impl FnMut(&Path, FileId)) {
        for (name, entry) in self.entries(folder, view).into_iter().flatten() {
            path.push(name);
            match entry {
                Entry::File(file) => visit(path, *file),
                Entry::Folder(inside) => self.walk(*inside, view, path, visit),
            }
            path.pop();
        }
    }

    fn make_folder(&mut self, parent: FolderId, name: OsString) -> FolderId {
        let folder = FolderId(self.number());
        self.folders.insert(folder, Folder::default());
        self.change(vec![(parent, name, Some(Entry::Folder(folder)))]);
        folder
    }

    fn change(&mut self, steps: Vec<(FolderId, OsString, Option<Entry>)>) {
        for (folder, name, entry) in &steps {
            put(&mut self.folder_mut(*folder).seen, name, *entry);
        }
        self.pending.push(NameChange { steps });
    }

    fn settle(&mut self, change: NameChange) {
        for (folder, name, entry) in change.steps {
            put(&mut self.folder_mut(folder).durable, &name, entry);
        }
    }

    fn folder_mut(&mut self, folder: FolderId) -> &mut Folder {
        self.folders.get_mut(&folder).expect("folders are never forgotten")
    }

    fn entries(&self, folder: FolderId, view: View) -> Option<&Entries> {
        self.folders.get(&folder).map(|folder| match view {
            View::Seen => &folder.seen,
            View::Durable => &folder.durable,
        })
    }

    fn entry(&self, folder: FolderId, name: &OsStr, view: View) -> Option<Entry> {
        self.entries(folder, view)?.get(name).copied()
    }

    fn folder(&self, path: &Path, view: View) -> io::Result<FolderId> {
        let mut folder = ROOT;
        for name in names(path)? {
            folder = match self.entry(folder, &name, view) {
                Some(Entry::Folder(folder)) => folder,
                Some(Entry::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => return Err(io::ErrorKind::NotFound.into()),
            };
        }
        Ok(folder)
    }

    /// The folder above a path, and the path's last name.
    fn locate(&self, path: &Path, view: View) -> io::Result<(FolderId, OsString)> {
        let (_, name) = split(path)?;
        Ok((self.folder(path.parent().unwrap_or(Path::new("")), view)?, name))
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn put(entries: &mut Entries, name: &OsStr, entry: Option<Entry>) {
    match entry {
        Some(entry) => entries.insert(name.to_owned(), entry),
        None => entries.remove(name),
    };
}

fn names(path: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_owned()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}

fn split(path: &Path) -> io::Result<(Vec<OsString>, OsString)> {
    let mut names = names(path)?;
    let last = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((names, last))
}
