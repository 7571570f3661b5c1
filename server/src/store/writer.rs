//! Group commit: the tasks that append and sync.
//!
//! A writer takes what has gathered, writes all of it, tells that it is written, syncs each `flushed` log once and tells that too; meanwhile
//! the next group gathers. `replicated` logs are synced by keepers, lazily and within bounds, so that no log's append waits for another's
//! flush. While a keeper has a log, or has to have it next, what is asked of that log waits in order.

mod unasked;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use gracchus_core::boundary::{ReadFailure, StorageDone, StorageError, StorageOp};
use gracchus_core::ids::LogId;
use gracchus_core::offset::Offset;
use gracchus_core::time::Monotonic;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use self::unasked::Stopped;
use super::keeper::{KeeperJob, Outcome, Work};
use super::recovery::Left;
use super::slot::{Slot, State};
use super::swap::Swap;
use super::task::DiskTask;
use super::{election, paths, reader};
use crate::platform::Platform;

/// Jobs that are taken at once.
const JOBS_PER_GROUP_MAX: usize = 1_024;

/// Work for a writer.
pub(super) enum WriterJob<P: Platform> {
    /// From the core.
    Op(StorageOp),
    /// A keeper is done with a log.
    FromKeeper(LogId, Result<Outcome<P>, StorageError>),
    /// A log that waited for its folder has it.
    HasFolder(LogId),
    /// What compaction has made is to take its place. Answered with whether it did; not at all if that failed in the middle.
    Swap(LogId, Box<Swap>, oneshot::Sender<bool>),
    /// Everything before is to be carried out and synced.
    Stop(oneshot::Sender<Stopped>),
}

/// Whether an operation was carried out, or has to wait for a keeper.
enum Carried {
    Done,
    MustWait(StorageOp),
}

/// A writer.
pub(super) struct Writer<P: Platform> {
    task: DiskTask<P>,
    /// Where it takes its jobs from, for keepers to answer.
    itself: UnboundedSender<WriterJob<P>>,
    keepers: Vec<UnboundedSender<KeeperJob<P>>>,
    /// Folders that the last stop left with everything on disk.
    clean: Arc<BTreeSet<PathBuf>>,
    slots: BTreeMap<LogId, Slot<P>>,
    /// Logs that this group has to do with.
    touched: BTreeSet<LogId>,
    /// When logs that are synced lazily have to be, and when others have been idle for long.
    due: BTreeSet<(Monotonic, LogId)>,
    /// How often room had grown tight when it last gave back what its logs had set aside.
    tightenings: u64,
    stopping: Option<oneshot::Sender<Stopped>>,
}

impl<P: Platform> Writer<P> {
    /// A writer without logs.
    pub(super) fn new(
        task: DiskTask<P>,
        itself: UnboundedSender<WriterJob<P>>,
        keepers: Vec<UnboundedSender<KeeperJob<P>>>,
        clean: Arc<BTreeSet<PathBuf>>,
    ) -> Self {
        Self {
            task,
            itself,
            keepers,
            clean,
            slots: BTreeMap::new(),
            touched: BTreeSet::new(),
            due: BTreeSet::new(),
            tightenings: 0,
            stopping: None,
        }
    }

    /// Works until the store stops.
    pub(super) async fn run(mut self, mut jobs: UnboundedReceiver<WriterJob<P>>) {
        let shared = Arc::clone(&self.task.shared);
        let mut group = Vec::new();
        // The alarm is set anew only when it would ring too late: setting it wakes whoever keeps the time.
        let mut alarm_at = Monotonic(u64::MAX);
        let mut alarm = pin!(shared.platform.sleep_until(alarm_at));
        loop {
            let tightened = shared.room.tightened();
            self.give_back_if_tight().await;
            if let Some(due) = self.due.first().map(|(at, _)| *at).filter(|&at| at < alarm_at) {
                alarm_at = due;
                alarm.set(shared.platform.sleep_until(alarm_at));
            }
            tokio::select! {
                biased;
                taken = jobs.recv_many(&mut group, JOBS_PER_GROUP_MAX) => if taken == 0 { return },
                () = tightened => {}
                () = &mut alarm => {
                    alarm_at = Monotonic(u64::MAX);
                    alarm.set(shared.platform.sleep_until(alarm_at));
                }
            }
            for job in group.drain(..) {
                match job {
                    WriterJob::Op(op) => self.admit(op).await,
                    WriterJob::FromKeeper(id, outcome) => self.take_back(id, outcome).await,
                    WriterJob::HasFolder(id) => self.start_anew(id).await,
                    WriterJob::Swap(id, swap, answer) => self.swap(id, swap, answer),
                    WriterJob::Stop(stopped) => self.stopping = Some(stopped),
                }
            }
            self.commit().await;
            self.do_what_is_due().await;
            self.report_space().await;
            if let Some(stopped) = self.stopping.take_if(|_| self.slots.values().all(Slot::is_idle)) {
                let folders = self.finish().await;
                // A node that is torn down does not wait.
                let _ = stopped.send(folders);
                return;
            }
        }
    }

    /// Carries an operation out, or puts it behind those of its log that wait.
    async fn admit(&mut self, op: StorageOp) {
        let id = log_of(&op);
        if let Some(slot) = self.slots.get_mut(&id).filter(|slot| !slot.waiting.is_empty()) {
            slot.waiting.push_back(op);
            return;
        }
        if let Carried::MustWait(op) = self.carry_out(op).await
            && let Some(slot) = self.slots.get_mut(&id)
        {
            slot.waiting.push_back(op);
        }
    }

    /// Carries out what has waited, as far as it need not wait again.
    async fn drain(&mut self, id: LogId) {
        while let Some(op) = self.slots.get_mut(&id).and_then(|slot| slot.waiting.pop_front()) {
            if let Carried::MustWait(op) = self.carry_out(op).await {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.waiting.push_front(op);
                }
                return;
            }
        }
    }

    async fn carry_out(&mut self, op: StorageOp) -> Carried {
        let id = log_of(&op);
        match op {
            StorageOp::Open { .. } => self.open(id, op).await,
            StorageOp::KeepElection(_) if self.slots.get(&id).is_some_and(|slot| !slot.is_at_rest()) => Carried::MustWait(op),
            StorageOp::KeepElection(state) => {
                match election::keep(&self.task.disk, &state).await {
                    Ok(()) => self.task.shared.tell(StorageDone::ElectionKept(state)),
                    Err(error) => self.fail(id, error).await,
                }
                Carried::Done
            }
            StorageOp::LoadElection => {
                match election::load(&self.task.disk).await {
                    Ok(state) => self.task.shared.tell(StorageDone::Election(state)),
                    Err(error) => self.fail(id, error).await,
                }
                Carried::Done
            }
            StorageOp::Append { .. } | StorageOp::Sync { .. } | StorageOp::KeepSnapshot { .. } | StorageOp::Read { .. } => {
                self.carry_out_in_place(id, op).await
            }
            StorageOp::Configure { .. } | StorageOp::Trim { .. } | StorageOp::Truncate { .. } | StorageOp::Remove { .. } => {
                self.carry_out_alone(id, op).await
            }
            StorageOp::Find { .. }
            | StorageOp::Compact { .. }
            | StorageOp::RemoveOthers { .. }
            | StorageOp::KeepMetadataSnapshot { .. }
            | StorageOp::LoadMetadataSnapshots
            | StorageOp::ReadMetadataSnapshot { .. } => unreachable!("these go to readers and keepers"),
        }
    }

    /// Operations that the log goes on growing beside.
    async fn carry_out_in_place(&mut self, id: LogId, op: StorageOp) -> Carried {
        let settings = &self.task.shared.settings;
        let Some(slot) = self.slots.get_mut(&id) else { return Carried::Done };
        let is_saturated = slot.is_saturated(settings.unsynced_bytes_max);
        let log = match &mut slot.state {
            State::Open(log) => log,
            State::Away | State::Barred => return Carried::MustWait(op),
            State::Failed => return Carried::Done,
        };
        match op {
            StorageOp::Append { .. } if is_saturated => return Carried::MustWait(op),
            StorageOp::Append { log: _, header, payload, has_followers } => {
                self.touched.insert(id);
                log.has_followers = has_followers;
                if log.push(header, payload.bytes().clone(), settings.group_bytes_max) {
                    self.write(id).await;
                }
            }
            StorageOp::Sync { log: _ } => {
                self.touched.insert(id);
                slot.sync_wanted = true;
            }
            StorageOp::KeepSnapshot { log: _, upto, producers } => {
                debug_assert!(slot.snapshot.as_ref().is_none_or(|(waiting, _)| *waiting <= upto), "logs grow between snapshots");
                slot.snapshot = Some((upto, producers));
                if self.write(id).await {
                    self.begin_sync(id).await;
                }
            }
            StorageOp::Read { log: _, from, upto, bytes_max } => {
                if self.write(id).await {
                    self.read(id, from, upto, bytes_max).await;
                }
            }
            StorageOp::Open { .. }
            | StorageOp::Configure { .. }
            | StorageOp::Trim { .. }
            | StorageOp::Truncate { .. }
            | StorageOp::Find { .. }
            | StorageOp::Compact { .. }
            | StorageOp::Remove { .. }
            | StorageOp::RemoveOthers { .. }
            | StorageOp::KeepElection(_)
            | StorageOp::LoadElection
            | StorageOp::KeepMetadataSnapshot { .. }
            | StorageOp::LoadMetadataSnapshots
            | StorageOp::ReadMetadataSnapshot { .. } => unreachable!("told apart by the caller"),
        }
        Carried::Done
    }

    /// Operations that need a log that no keeper has to do with.
    async fn carry_out_alone(&mut self, id: LogId, op: StorageOp) -> Carried {
        if !self.write(id).await
            && let StorageOp::Remove { .. } = op
            && !self.slots.contains_key(&id)
        {
            self.task.shared.tell(StorageDone::Removed { log: id });
            return Carried::Done;
        }
        let Some(slot) = self.slots.get_mut(&id) else { return Carried::Done };
        if !slot.is_at_rest() {
            return Carried::MustWait(op);
        }
        if let StorageOp::Remove { .. } = op {
            self.task.shared.withdraw(id);
            slot.state = State::Away;
            let work = Work::Remove(slot.folder.clone(), slot.file_delete_delay_ms);
            self.lend(id, work);
            return Carried::Done;
        }
        if let StorageOp::Configure { log: _, settings } = op {
            if let State::Open(log) = &mut slot.state {
                slot.file_delete_delay_ms = settings.file_delete_delay_ms;
                // What was to be synced lazily is synced with the next group, and what was not told to be written is told to be on disk.
                slot.sync_wanted |= settings.durability != log.settings.durability;
                log.settings = settings;
                self.touched.insert(id);
            }
            return Carried::Done;
        }
        let State::Open(log) = std::mem::replace(&mut slot.state, State::Away) else {
            slot.state = State::Failed;
            return Carried::Done;
        };
        let work = match op {
            StorageOp::Trim { log: _, log_start } => Work::Trim(log, log_start),
            StorageOp::Truncate { log: _, to } => Work::Truncate(log, to),
            StorageOp::Open { .. }
            | StorageOp::Configure { .. }
            | StorageOp::Append { .. }
            | StorageOp::Sync { .. }
            | StorageOp::KeepSnapshot { .. }
            | StorageOp::Read { .. }
            | StorageOp::Find { .. }
            | StorageOp::Compact { .. }
            | StorageOp::Remove { .. }
            | StorageOp::RemoveOthers { .. }
            | StorageOp::KeepElection(_)
            | StorageOp::LoadElection
            | StorageOp::KeepMetadataSnapshot { .. }
            | StorageOp::LoadMetadataSnapshots
            | StorageOp::ReadMetadataSnapshot { .. } => unreachable!("told apart above and by the caller"),
        };
        self.lend(id, work);
        Carried::Done
    }

    async fn open(&mut self, id: LogId, op: StorageOp) -> Carried {
        self.write(id).await;
        if self.slots.get(&id).is_some_and(|slot| !slot.is_at_rest()) {
            return Carried::MustWait(op);
        }
        let StorageOp::Open { log, topic, settings } = op else { unreachable!("told apart by the caller") };
        let folder = paths::log_folder(id, &topic);
        let former = self.slots.remove(&id);
        let was_known = former.is_some();
        // What came behind this is for the log as it is now opened.
        let waiting = former.map(|slot| slot.waiting).unwrap_or_default();
        let slot = Slot { waiting, ..Slot::new(folder.clone(), settings.file_delete_delay_ms) };
        if !self.task.shared.owners.claim(&folder, id, self.itself.clone()) {
            self.slots.insert(id, Slot { state: State::Barred, ..slot });
            return Carried::MustWait(StorageOp::Open { log, topic, settings });
        }
        let left = if was_known {
            Left::Failed
        } else if self.clean.contains(&folder) {
            Left::Clean
        } else {
            Left::Crashed
        };
        self.task.shared.withdraw(id);
        self.slots.insert(id, slot);
        self.lend(id, Work::Open { topic, settings, left });
        Carried::Done
    }

    fn lend(&self, id: LogId, work: Work<P>) {
        let keeper = self.keepers.get(super::keeper_of(id, self.keepers.len())).expect("there is a keeper");
        // Keepers end after the writers, but for a node that is torn down.
        let _ = keeper.send(KeeperJob::Log { id, work, writer: self.itself.clone() });
    }

    /// A keeper is done with a log.
    async fn take_back(&mut self, id: LogId, outcome: Result<Outcome<P>, StorageError>) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let shared = &self.task.shared;
        let was_syncing = slot.syncing.take().is_some();
        match outcome {
            Ok(Outcome::Opened(log, recovered)) => {
                shared.publish(id, log.view.clone());
                slot.state = State::Open(log);
                shared.tell(StorageDone::Opened { log: id, recovered: *recovered });
            }
            Ok(Outcome::Returned(log, done)) => {
                slot.state = State::Open(log);
                // What was written before the log was lent is still to be told to be on disk.
                slot.sync_wanted = true;
                self.touched.insert(id);
                shared.tell(done);
                // What it has set aside may have come due while it was away.
                self.note_due(id);
            }
            Ok(Outcome::Removed(removed)) => {
                let folder = slot.folder.clone();
                match removed {
                    Ok(()) => {
                        shared.tell(StorageDone::Removed { log: id });
                        self.pass_on(id, &folder);
                        return self.start_anew(id).await;
                    }
                    Err(error) => {
                        self.fail(id, error).await;
                        self.task.shared.tell(StorageDone::Removed { log: id });
                        // The next log takes the old one's files away before it uses the name.
                        self.pass_on(id, &folder);
                    }
                }
            }
            Ok(Outcome::Synced(covered)) => {
                // That of a log that failed meanwhile was told.
                if let State::Open(log) = &mut slot.state {
                    log.unsynced.note_synced();
                    shared.tell(covered.synced(id));
                }
            }
            Ok(Outcome::Swapped(swapped)) => {
                if let Some(answer) = slot.swapping.take() {
                    // Compaction may have ended with the store.
                    let _ = answer.send(swapped.is_some());
                }
                if let Some(sealed) = swapped.filter(|sealed| !sealed.is_empty()) {
                    shared.tell(StorageDone::SegmentsCompacted { log: id, sealed });
                }
            }
            Ok(Outcome::SnapshotKept(upto, covered)) => {
                if let State::Open(log) = &mut slot.state {
                    if let Some(covered) = covered {
                        log.unsynced.note_synced();
                        shared.tell(covered.synced(id));
                    }
                    shared.tell(StorageDone::SnapshotKept { log: id, upto });
                }
            }
            Err(_) if matches!(slot.state, State::Failed) => {}
            Err(error) => self.fail(id, error).await,
        }
        // Whoever asks for a sync meanwhile is heard once it has taken place.
        if !self.begin_swap(id) && was_syncing {
            self.begin_sync(id).await;
            self.note_due(id);
        }
        self.drain(id).await;
    }

    /// Has what compaction has made take its place, once no keeper has to do with the log.
    fn swap(&mut self, id: LogId, swap: Box<Swap>, answer: oneshot::Sender<bool>) {
        match self.slots.get_mut(&id) {
            Some(slot) if matches!(slot.state, State::Open(_) | State::Away) => {
                slot.swap = Some((swap, answer));
                self.begin_swap(id);
            }
            Some(_) | None => {
                // Compaction may have ended with the store.
                let _ = answer.send(false);
            }
        }
    }

    /// Says whether what compaction has made takes its place now.
    fn begin_swap(&mut self, id: LogId) -> bool {
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.syncing.is_none()) else { return false };
        let State::Open(log) = &slot.state else { return false };
        let view = Arc::clone(&log.view);
        let Some((swap, answer)) = slot.swap.take() else { return false };
        slot.swapping = Some(answer);
        slot.syncing = Some(0);
        self.lend(id, Work::Swap(view, swap));
        true
    }

    /// Gives up a log's folder to the next that waits for it.
    fn pass_on(&self, id: LogId, folder: &Path) {
        if let Some((next, writer)) = self.task.shared.owners.release(folder, id) {
            // Without its task the node is stopping.
            let _ = writer.send(WriterJob::HasFolder(next));
        }
    }

    /// Forgets what a log was and takes what waits for it as if it had just come.
    async fn start_anew(&mut self, id: LogId) {
        let Some(slot) = self.slots.remove(&id) else { return };
        for op in slot.waiting {
            self.admit(op).await;
        }
    }

    /// Writes what has gathered, tells it, and syncs what has to be synced before more is taken.
    async fn commit(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        for &id in &touched {
            self.write(id).await;
        }
        for &id in &touched {
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            let State::Open(log) = &mut slot.state else { continue };
            if log.is_flushed() {
                slot.sync_wanted = false;
                match log.sync(&self.task).await {
                    Ok(covered) => {
                        self.task.shared.tell(covered.synced(id));
                        self.note_due(id);
                    }
                    Err(error) => self.fail(id, error).await,
                }
                continue;
            }
            let bytes_max = self.task.shared.settings.unsynced_bytes_max;
            if slot.sync_wanted || log.unsynced.bytes() >= bytes_max {
                self.begin_sync(id).await;
            } else {
                self.note_due(id);
            }
        }
    }

    /// Writes what was taken for a log, and tells it unless only the sync matters to anybody. Says whether the log is open, and stayed so.
    async fn write(&mut self, id: LogId) -> bool {
        let Some(Slot { state: State::Open(log), .. }) = self.slots.get_mut(&id) else { return false };
        match log.write(&self.task).await {
            // Telling wakes the core, and in a flushed log nobody but followers goes by what is not on disk yet.
            Ok(true) if !log.is_flushed() || log.has_followers => self.task.shared.tell(log.covered().written(id)),
            Ok(_) => {}
            Err(error) => {
                self.fail(id, error).await;
                return false;
            }
        }
        true
    }

    /// Hands to a keeper what waits to be put on disk, unless one has some already: then it goes on with the rest when it is done.
    async fn begin_sync(&mut self, id: LogId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let State::Open(log) = &mut slot.state else { return };
        if slot.syncing.is_some() {
            slot.sync_wanted |= slot.snapshot.is_none();
            return;
        }
        if let Some((upto, producers)) = slot.snapshot.take() {
            let had_unsynced = log.is_flushed() && log.unsynced.bytes() > 0;
            match log.snapshot(&self.task, upto, producers).await {
                Ok(Some(work)) => {
                    if had_unsynced {
                        self.task.shared.tell(log.covered().synced(id));
                    }
                    slot.syncing = Some(work.batches.as_ref().map_or(0, |set| set.bytes));
                    self.lend(id, Work::Snapshot(Box::new(work)));
                    return;
                }
                Ok(None) => self.task.shared.tell(StorageDone::SnapshotKept { log: id, upto }),
                Err(error) => return self.fail(id, error).await,
            }
        }
        let is_asked = std::mem::take(&mut slot.sync_wanted);
        let is_much = log.unsynced.bytes() >= self.task.shared.settings.unsynced_bytes_max;
        if log.is_flushed() || !(is_asked || is_much) {
            slot.sync_wanted = is_asked;
            return;
        }
        match log.take_unsynced() {
            Some(set) => {
                slot.syncing = Some(set.bytes);
                self.lend(id, Work::Sync(Box::new(set)));
            }
            None => self.task.shared.tell(log.covered().synced(id)),
        }
    }

    async fn read(&mut self, id: LogId, from: Offset, upto: Offset, bytes_max: u32) {
        let Some(Slot { state: State::Open(log), .. }) = self.slots.get(&id) else { return };
        match reader::read_batches(&self.task, &log.view, from, upto, bytes_max).await {
            Ok(batches) => self.task.shared.tell(StorageDone::Read { log: id, from, batches }),
            Err(ReadFailure::Storage(error)) => self.fail(id, error).await,
            // Its writer is the one who would know.
            Err(ReadFailure::Void(void)) => self.fail(id, StorageError::Io(format!("no records from {from} on: {void:?}").into())).await,
        }
    }

    /// Takes a log out of service.
    async fn fail(&mut self, id: LogId, error: StorageError) {
        tracing::error!(log = %id, ?error, "a log is out of service");
        self.task.shared.withdraw(id);
        let is_full = error == StorageError::NoSpace;
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.state = State::Failed;
            slot.snapshot = None;
            slot.swap = None;
            slot.swapping = None;
            slot.sync_wanted = false;
        }
        self.task.shared.tell(StorageDone::Failed { log: id, error });
        if is_full {
            self.task.tell_space().await;
        }
    }
}

/// The log that an operation is for.
pub(super) fn log_of(op: &StorageOp) -> LogId {
    match op {
        StorageOp::Open { log, .. }
        | StorageOp::Configure { log, .. }
        | StorageOp::Append { log, .. }
        | StorageOp::Sync { log }
        | StorageOp::Trim { log, .. }
        | StorageOp::Truncate { log, .. }
        | StorageOp::KeepSnapshot { log, .. }
        | StorageOp::Read { log, .. }
        | StorageOp::Find { log, .. }
        | StorageOp::Compact { log, .. }
        | StorageOp::Remove { log } => *log,
        StorageOp::RemoveOthers { .. } | StorageOp::KeepElection(_) | StorageOp::LoadElection => LogId::Metadata,
        StorageOp::KeepMetadataSnapshot { .. } | StorageOp::LoadMetadataSnapshots | StorageOp::ReadMetadataSnapshot { .. } => LogId::Metadata,
    }
}
