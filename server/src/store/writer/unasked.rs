//! What a writer does though no operation asks for it: syncs that are due, bytes that are set aside and not used, the end.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gracchus_core::boundary::StorageDone;
use gracchus_core::ids::LogId;
use gracchus_core::time::Monotonic;

use super::super::slot::State;
use super::Writer;
use crate::platform::Platform;

/// The folders of a writer's logs, when it has stopped.
#[derive(Debug, Default)]
pub(in super::super) struct Stopped {
    /// All that is in these is on disk.
    pub(in super::super) clean: BTreeSet<PathBuf>,
    /// In these something failed.
    pub(in super::super) unclean: BTreeSet<PathBuf>,
}

impl<P: Platform> Writer<P> {
    /// Syncs the logs whose oldest unsynced byte has grown too old, and takes back what is set aside for those that have not grown for long.
    pub(super) async fn do_what_is_due(&mut self) {
        let now = self.task.shared.platform.now().monotonic;
        while let Some((_, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            let settings = &self.task.shared.settings;
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            slot.due_at = None;
            let State::Open(log) = &mut slot.state else { continue };
            let is_over = |due: Option<Monotonic>| due.is_some_and(|at| at <= now);
            if is_over(log.give_back_due(settings))
                && let Err(error) = log.give_back(&self.task).await
            {
                self.fail(id, error).await;
                continue;
            }
            if is_over(log.sync_due(settings)) {
                slot.sync_wanted = true;
                self.begin_sync(id).await;
            }
            if self.slots.get(&id).is_some_and(|slot| slot.syncing.is_none()) {
                self.note_due(id);
            }
        }
    }

    /// Takes back all that is set aside when room has grown tight: it is for others then.
    pub(super) async fn give_back_if_tight(&mut self) {
        let tightenings = self.task.shared.room.tightenings();
        if std::mem::replace(&mut self.tightenings, tightenings) == tightenings {
            return;
        }
        let mut failed = Vec::new();
        for (&id, slot) in &mut self.slots {
            if let State::Open(log) = &mut slot.state
                && let Err(error) = log.give_back(&self.task).await
            {
                failed.push((id, error));
            }
        }
        for (id, error) in failed {
            self.fail(id, error).await;
        }
        self.task.tell_space().await;
    }

    /// Takes note of when a log is due, unless it is noted for an earlier time: then it is looked at again by then.
    pub(super) fn note_due(&mut self, id: LogId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let State::Open(log) = &slot.state else { return };
        let Some(at) = log.due(&self.task.shared.settings) else { return };
        if slot.due_at.is_some_and(|noted| noted <= at) {
            return;
        }
        if let Some(later) = slot.due_at.replace(at) {
            self.due.remove(&(later, id));
        }
        self.due.insert((at, id));
    }

    pub(super) async fn report_space(&self) {
        if self.task.shared.room.used_since() >= self.task.shared.settings.space_report_bytes {
            self.task.tell_space().await;
        }
    }

    /// Puts everything on disk, for a stop.
    pub(super) async fn finish(&mut self) -> Stopped {
        let mut stopped = Stopped::default();
        for (&id, slot) in &mut self.slots {
            let log = match &mut slot.state {
                State::Open(log) => log,
                State::Away | State::Failed => {
                    stopped.unclean.insert(slot.folder.clone());
                    continue;
                }
                // The folder is another's to speak of.
                State::Barred => continue,
            };
            let synced = match log.sync(&self.task).await {
                Ok(covered) => log.give_back(&self.task).await.map(|()| covered),
                Err(error) => Err(error),
            };
            match synced {
                Ok(covered) => {
                    stopped.clean.insert(slot.folder.clone());
                    self.task.shared.tell(covered.synced(id));
                }
                Err(error) => {
                    stopped.unclean.insert(slot.folder.clone());
                    self.task.shared.tell(StorageDone::Failed { log: id, error });
                }
            }
        }
        stopped
    }
}
