//! The bounds of what the core keeps and does, in one place.

/// Producers that a partition remembers. One that appends when there are as many forgets the one that appended longest ago. An entry takes
/// 400 bytes or so.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 50_000;

/// Batches by which a partition recognises a producer's retry: as many as an idempotent producer may have in flight (KAFKA-5494).
pub const BATCHES_PER_PRODUCER_MAX: usize = 5;

/// Unknown producers whose refused batches a partition remembers. One too many forgets the oldest, which may then start at any sequence.
pub const REFUSED_PRODUCERS_MAX: usize = 10_000;

/// Batches at the end of a log whose place in bytes is known exactly.
pub const RECENT_POSITIONS_MAX: usize = 128;

/// Places in bytes that are known before those, spread over the log.
pub const SPARSE_POSITIONS_MAX: usize = 32;

/// Bytes of metadata read from the store at a time.
pub const METADATA_READ_BYTES: u32 = 1 << 20;

/// Bytes of records in one batch of the metadata log at most; a decision that needs more is split over several.
pub const METADATA_BATCH_BYTES: usize = 512 << 10;

/// Bytes that the metadata log grows by until what recovery may trust of it is kept anew: what a bad disk does to the log below is found, not
/// taken for a crash's trace.
pub const METADATA_SNAPSHOT_BYTES: u64 = 64 << 10;

/// Metadata snapshots that a node keeps: the log begins where the oldest of them ends.
pub const METADATA_SNAPSHOTS_KEPT: usize = 2;

/// Bytes of a metadata snapshot that a node takes from another at most: it holds them in memory until they are whole.
pub const METADATA_SNAPSHOT_BYTES_MAX: u64 = 1 << 30;

/// Bytes of a metadata snapshot in one message at most, however many are asked for.
pub const METADATA_SNAPSHOT_PIECE_BYTES: u32 = 16 << 20;

/// Answers that a leader sends a follower ahead of what that one has taken.
pub const REPLICA_ANSWERS_AHEAD: u64 = 4;

/// Bytes of records in one answer to a follower, over all partitions: once there are as many, others wait for the next answer. The last partition
/// goes beyond it by [`REPLICA_FETCH_BYTES`] or a whole batch at most.
pub const REPLICA_ANSWER_BYTES: u32 = 4 << 20;

/// Bytes of records of one partition in one answer to a follower; one whole batch always.
pub const REPLICA_FETCH_BYTES: u32 = 1 << 20;

/// A leader that a member of its ISR has not fetched from for this long, in milliseconds, may have been deposed without knowing it: it does not
/// tell a producer that a batch is missing. Followers say that they live every [`REPLICATION_TICK_MS`].
pub const FOLLOWED_MS: i64 = 2 * REPLICATION_TICK_MS;

/// Bytes of records that a follower is sent in one round while it catches up and clients write. The last partition goes beyond it by
/// [`REPLICA_FETCH_BYTES`] or a whole batch at most.
pub const CATCH_UP_ROUND_BYTES: u32 = 1 << 20;

/// A round of catching up is taken for over after this long, in milliseconds, whatever became of what was sent.
pub const CATCH_UP_ROUND_MS_MAX: i64 = 1_000;

/// Clients are taken to write for this long after they last did, in milliseconds.
pub const CLIENTS_WRITE_MS: i64 = 1_000;

/// A follower that takes as many bytes of a `replicated` log asks for the next while it writes them; of fewer it says in one message that they
/// are written and what it wants next.
pub const WANTED_AHEAD_BYTES: u32 = 64 << 10;

/// Bytes of one partition that a throttled follower is sent at once, if its rate allows no more.
pub const THROTTLED_FETCH_BYTES_MIN: u32 = 16 << 10;

/// Partitions that a follower names in one message.
pub const REPLICA_WANTS_MAX: usize = 4_096;

/// Followers show that they live, and leaders look at their ISRs, this often in milliseconds.
pub const REPLICATION_TICK_MS: i64 = 500;

/// A follower asks for metadata again after this long, in milliseconds, when an answer that came sooner held nothing new.
pub const METADATA_REFETCH_MS: i64 = 50;

/// A node that stops waits this long at most, in milliseconds, for others to lead what it led.
pub const HAND_OVER_MS_MAX: i64 = 3_000;

/// A call to the controller that may be lost is made again after this long, in milliseconds.
pub const CALL_RETRY_MS: i64 = 100;

/// One that has not been answered for this long, in milliseconds, is made again: its answer may have been lost where this node can't see it.
pub const CALL_REPEAT_MS: i64 = 2_000;

/// A node that has stood still for this long, in milliseconds, may have been taken for dead: it leads nothing that others have a copy of before
/// the controller has answered it. Others give it up after three seconds of silence.
pub const STOOD_STILL_MS: i64 = 2_000;

/// Metadata waits this long at most, in milliseconds, for the topics that it creates; then it tells of those that there are.
pub const METADATA_REQUEST_MS_MAX: i32 = 30_000;

/// Commands that name no limit of their own are decided within this long, in milliseconds.
pub const UNTIMED_COMMAND_MS_MAX: i32 = 30_000;

/// A node has this long at most, in milliseconds, to catch up that is to be a voter, whatever its request allows.
pub const ADD_VOTER_MS_MAX: i32 = 600_000;

/// A voter is removed within this long, in milliseconds: the request names no limit of its own.
pub const REMOVE_VOTER_MS_MAX: i32 = 5_000;

/// A client waits this long at most, in milliseconds, for producer ids.
pub const PRODUCER_IDS_MS_MAX: i32 = 10_000;

/// A broker whose connection to the controller is lost is fenced after this long, in milliseconds, if it says nothing. One that lives sends
/// a heartbeat at once or repeats it after [`CALL_RETRY_MS`], and a connection is made anew within tens of milliseconds.
pub const LOST_BROKER_MS: i64 = 250;

/// A Metadata request waits this long at most, in milliseconds, for another leader in the place of one that may be gone.
pub const DOUBTFUL_METADATA_MS: i64 = LOST_BROKER_MS + 50;

/// For this long after its connection was lost, in milliseconds, a broker is named to clients as the leader of nothing: they would wait for it,
/// some a second before they ask again, while another is elected.
pub const DOUBT_MS: i64 = 2 * LOST_BROKER_MS;

/// Producer ids that a broker is given at once (Kafka's block).
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// An observer of the quorum that has not fetched for this long is listed no longer, in milliseconds.
pub const OBSERVER_MS_MAX: i64 = 300_000;

/// Partitions whose leadership goes back to their preferred replicas at once, as in Kafka.
pub const REBALANCED_PARTITIONS_MAX: usize = 1000;

/// Partitions that one request may create.
pub const NEW_PARTITIONS_MAX: i64 = 10_000;

/// Settings that one DescribeConfigs is answered with, but for the resource that reaches the bound.
pub const CONFIG_ENTRIES_MAX: usize = 400_000;

/// Bytes of a setting's value (Kafka's own bound: what a string of its requests and records can hold).
pub const CONFIG_VALUE_BYTES_MAX: usize = 32_767;

/// Groups that may have settings of their own.
pub const GROUPS_WITH_SETTINGS_MAX: usize = 10_000;

/// Bytes of a topic's name (Kafka's own bound, for the folder's name to fit a file system).
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Bytes that a disk keeps free: below, produce is refused before it gets an offset.
pub const FREE_BYTES_RESERVE: u64 = 64 << 20;

/// Milliseconds that a new member of a group waits for its first generation at most.
pub const NEW_MEMBER_JOIN_MS_MAX: i64 = 300_000;

/// Bytes of records in one batch of the log that groups are kept in at most; a decision that needs more is split over several.
pub const GROUP_BATCH_BYTES: usize = 512 << 10;

/// Bytes of that log read from the store at a time.
pub const GROUPS_READ_BYTES: u32 = 1 << 20;

/// Milliseconds after which a coordinator that can't append looks again at what is due by itself.
pub const COORDINATOR_RETRY_MS: i64 = 500;

/// Bytes of a client's or an instance's name that its member id begins with: the whole of it fits into the records that keep it.
pub const MEMBER_ID_PREFIX_BYTES_MAX: usize = 16 << 10;

/// Milliseconds that a group waits for static members that are away before it looks for them again, at least.
pub const REBALANCE_MS_MIN: i64 = 1_000;

/// Protocols that a member of a group may name.
pub const MEMBER_PROTOCOLS_MAX: usize = 100;

/// Bytes that a member of a group may have to say for all its protocols.
pub const MEMBER_BYTES_MAX: usize = 1 << 20;

/// Bytes of what a group's members say and are assigned, which one record keeps.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// Member ids of a group that were given out and not joined with.
pub const INVITED_MAX: usize = 10_000;

/// Bytes of a name that a member of a group of the consumer protocol gives: its own, its rack's, its group's. Keys of records hold no more.
pub const MEMBER_NAME_BYTES_MAX: usize = 16 << 10;

/// Topics that a member of such a group may subscribe to by name.
pub const SUBSCRIBED_TOPICS_MAX: usize = 100_000;

/// Partitions that such a member may say it has.
pub const OWNED_PARTITIONS_MAX: usize = 1_000_000;

/// Bytes of a regular expression that a member subscribes by.
pub const PATTERN_BYTES_MAX: usize = 4 << 10;

/// Bytes that a regular expression takes once it is compiled, and again for what the engine caches.
pub const PATTERN_COMPILED_BYTES_MAX: usize = 64 << 10;

/// Regular expressions that the members of a group subscribe by.
pub const GROUP_PATTERNS_MAX: usize = 100;

/// While a group of the consumer protocol comes to a new epoch its members are asked to be heard of this often, in milliseconds: each takes what
/// the others have given up.
pub const RECONCILING_HEARTBEAT_MS: i64 = 300;

/// A member that is heard of so often leaves this much time for each of the others, in milliseconds: large groups are asked less often.
pub const RECONCILING_HEARTBEAT_MEMBER_MS: i64 = 2;
