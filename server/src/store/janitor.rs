//! Removes what is no longer wanted, once its delay has passed, and looks at the room that is left.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use gracchus_core::time::{Monotonic, Wait};
use tokio::sync::mpsc::UnboundedReceiver;

use super::paths;
use super::task::DiskTask;
use crate::platform::{Disk, Platform};

/// Work for the janitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// A file or folder is to be removed.
    Remove {
        /// Which. Its name says that it is unwanted, so a crash before it is removed only delays that to the next start.
        path: PathBuf,
        /// When.
        at: Monotonic,
    },
    /// The store stops. What still waits to be removed is found at the next start.
    Stop,
}

/// Does chores until the store stops.
pub(super) async fn run<P: Platform>(task: DiskTask<P>, mut chores: UnboundedReceiver<Chore>) {
    let platform = task.shared.platform.clone();
    let report_every = Wait::from_ms(task.shared.settings.space_report_ms);
    let mut waiting: BTreeMap<(Monotonic, u64), PathBuf> = leftovers(&task).await;
    let mut received = waiting.len() as u64;
    let mut next_report = platform.now().monotonic.after(report_every);
    let mut told = None;
    loop {
        let next = waiting.first_key_value().map_or(next_report, |((at, _), _)| next_report.min(*at));
        tokio::select! {
            biased;
            chore = chores.recv() => match chore {
                Some(Chore::Remove { path, at }) => {
                    received += 1;
                    waiting.insert((at, received), path);
                }
                Some(Chore::Stop) | None => return,
            },
            () = platform.sleep_until(next) => {}
        }
        let now = platform.now().monotonic;
        let mut removed = false;
        while let Some(due) = waiting.first_entry().filter(|due| due.key().0 <= now) {
            remove(&task, due.remove()).await;
            removed = true;
        }
        if removed || now >= next_report {
            next_report = now.after(report_every);
            if let Some(space) = task.look_at_space().await
                && told.replace(space.free_bytes) != Some(space.free_bytes)
            {
                task.tell_of(space);
            }
        }
    }
}

/// Folders of deleted logs that an earlier run left behind.
async fn leftovers<P: Platform>(task: &DiskTask<P>) -> BTreeMap<(Monotonic, u64), PathBuf> {
    let names = match task.disk.list(paths::root()).await {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(%error, "could not look for deleted logs");
            Vec::new()
        }
    };
    let deleted = names.into_iter().filter(|name| paths::is_deleted_folder(name));
    (0..).zip(deleted).map(|(number, name)| ((Monotonic::default(), number), name)).collect()
}

async fn remove<P: Platform>(task: &DiskTask<P>, path: PathBuf) {
    match task.disk.remove(&path).await {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "could not remove a deleted file"),
    }
}
