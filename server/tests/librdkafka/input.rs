//! The files that go through the broker: those of the machine's own packages, one after the other in an order that is always the same.

use std::path::{Path, PathBuf};
use std::{env, fs};

use bytes::Bytes;

/// Longer ones are left out, so that a few do not make up the whole.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file: where it lies, and what is in it.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) content: Bytes,
}

/// As many bytes of files as `TEST_MB` asks for. A machine that has fewer gives what it has more than once.
pub(crate) fn files() -> Vec<File> {
    let megabytes: usize = env::var("TEST_MB").map_or(8, |value| value.parse().expect("TEST_MB is a number of MB"));
    let mut bytes_left = megabytes << 20;
    let mut files = Vec::new();
    while bytes_left > 0 {
        let found = files.len();
        // Text and programs by turns.
        let mut roots = [Walk::new("/usr/share"), Walk::new("/usr/lib")];
        while bytes_left > 0 {
            let paths: Vec<PathBuf> = roots.iter_mut().filter_map(Walk::next).collect();
            if paths.is_empty() {
                break;
            }
            for path in paths {
                let Some(file) = read(&path, bytes_left) else { continue };
                bytes_left -= file.content.len();
                files.push(file);
            }
        }
        assert!(files.len() > found, "no files in /usr/share and /usr/lib");
    }
    files
}

fn read(path: &Path, bytes_max: usize) -> Option<File> {
    if fs::metadata(path).ok()?.len() > FILE_BYTES_MAX {
        return None;
    }
    let mut content = fs::read(path).ok()?;
    content.truncate(bytes_max);
    (!content.is_empty()).then(|| File { path: path.display().to_string(), content: content.into() })
}

/// The plain files below a folder, in the order of their names.
struct Walk(Vec<PathBuf>);

impl Walk {
    fn new(root: &str) -> Self {
        Self(vec![root.into()])
    }
}

impl Iterator for Walk {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        loop {
            let path = self.0.pop()?;
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            if found.is_file() {
                return Some(path);
            }
            if found.is_dir() {
                let mut within: Vec<PathBuf> = fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
                within.sort_unstable_by(|a, b| b.cmp(a));
                self.0.extend(within);
            }
        }
    }
}
