//! The bounds on what one request may make this crate allocate.

/// The longest request in bytes, but for Produce, whose frame the listener's own limit bounds. A decoded list takes up to some forty times
/// the bytes that it came in, so that the frame limit of a batch would be too much here.
pub const COLD_REQUEST_BYTES_MAX: usize = 8 << 20;

/// Elements of one array in a request.
pub const ARRAY_ELEMENTS_MAX: usize = 200_000;

/// Tagged fields of one structure that this build does not know: they are skipped.
pub const TAGGED_FIELDS_MAX: usize = 64;

/// Partitions that one Produce may name.
pub const PRODUCE_PARTITIONS_MAX: usize = 50_000;

/// Bytes that the records of one batch may decompress to, where a topic's settings ask for single records. Elsewhere no more records are
/// counted than fit into as many.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// Bytes that the records of all batches of one request may decompress to: above, what is left of its batches is refused.
pub const DECOMPRESSED_REQUEST_BYTES_MAX: usize = 1 << 30;

/// Records of one batch that an answer names as being at fault.
pub const RECORD_ERRORS_MAX: usize = 1_000;

/// Bytes of a frame between nodes. One batch has to fit, whatever its topic allows (`max.message.bytes`), and what a follower asks for at once.
pub const PEER_FRAME_BYTES_MAX: u32 = 256 << 20;

/// Bytes of a frame before a node is let in.
pub const PEER_HANDSHAKE_BYTES_MAX: u32 = 1 << 10;
