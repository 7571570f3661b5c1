//! What the store may use.

/// Bounds of the store. Each limits memory, file descriptors or the time that recovery takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Tasks that write, each with its own share of the logs.
    pub writers: u32,
    /// Bytes written but not yet synced, over all logs of a writer: beyond that a sync starts whether one was asked for or not.
    pub unsynced_bytes_max: u64,
    /// Bytes of records between two snapshots of a log's producers: recovery reads no more than this beyond the last one.
    pub snapshot_interval_bytes: u64,
    /// Segment files held open at one time.
    pub open_files_max: u32,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { writers: 2, unsynced_bytes_max: 64 << 20, snapshot_interval_bytes: 64 << 20, open_files_max: 4096 }
    }
}
