//! The bounds of what the core keeps and does, in one place.

/// Producers that a partition remembers. One that appends when there are as many forgets the one that appended longest ago. An entry takes
/// 300 bytes at most.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 50_000;

/// Batches by which a partition recognises a producer's retry: as many as an idempotent producer may have in flight (KAFKA-5494).
pub const BATCHES_PER_PRODUCER_MAX: usize = 5;

/// Batches at the end of a log whose place in bytes is known exactly.
pub const RECENT_POSITIONS_MAX: usize = 128;

/// Places in bytes that are known before those, spread over the log.
pub const SPARSE_POSITIONS_MAX: usize = 32;
