//! How a node's store works, whatever the topics say.

/// Settings of a node's store. Each bounds something: threads, memory, open files, or what a crash may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Disk tasks that append and sync. Logs are spread over them, so this many syncs are in flight at most.
    pub writers: u32,
    /// Disk tasks for what takes long: recovery, truncation, deletion, snapshots and the lazy syncs of `replicated` logs. Of several the first has
    /// the metadata log alone.
    pub keepers: u32,
    /// Disk tasks that serve reads of old data and searches by time.
    pub readers: u32,
    /// A `replicated` log is synced once this many bytes of it are not on disk; past eight times as many its appends wait.
    pub unsynced_bytes_max: u64,
    /// A `replicated` log is synced once its oldest unsynced byte is this old, in milliseconds.
    pub unsynced_ms_max: i64,
    /// Bytes of batches that one write carries at most, a larger batch excepted.
    pub group_bytes_max: u64,
    /// Files kept open for reuse. Files that are being sent or await a sync are open beyond this.
    pub open_files_max: u32,
    /// Bytes set aside at once on disk for a busy active segment at most; zero sets nothing aside.
    pub preallocate_bytes: u64,
    /// A segment is busy, and gets bytes set aside, once it has grown to this many bytes.
    pub preallocate_from_bytes: u64,
    /// Batches at a log's end whose places are kept in memory, so that reads of fresh data need no disk.
    pub tail_batches_max: u32,
    /// The same over all logs: past this a log that grows keeps only a few.
    pub tail_batches_total_max: u64,
    /// Free space is told again after this many bytes of appends and of what is set aside.
    pub space_report_bytes: u64,
    /// Free space is looked at this often, in milliseconds, and told when it has changed. What is set aside for a log that has not grown for as
    /// long is given back.
    pub space_report_ms: i64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            writers: 4,
            keepers: 3,
            readers: 4,
            unsynced_bytes_max: 32 << 20,
            unsynced_ms_max: 1_000,
            group_bytes_max: 8 << 20,
            open_files_max: 4_096,
            preallocate_bytes: 16 << 20,
            preallocate_from_bytes: 64 << 10,
            tail_batches_max: 1_024,
            tail_batches_total_max: 1 << 18,
            space_report_bytes: 16 << 20,
            space_report_ms: 10_000,
        }
    }
}
