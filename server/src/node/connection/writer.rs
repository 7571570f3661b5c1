//! Sends answers, in the order of their requests.
//!
//! Answers that are ready one behind the other leave together; whenever the writer would have to wait for the next one, what it has leaves
//! first.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use gracchus_core::boundary::{FetchResponse, FetchedPartition, LogSlice, ReadFailure, Response, StorageError, TopicRef, Void};
use gracchus_core::broker::TopicDirectory;
use gracchus_core::error::ErrorCode;
use gracchus_core::time::Monotonic;
use gracchus_net::kafka::{Api, Piece, RequestHeader, encode_response};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError as QueueError;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError as AnswerError;

use super::super::activity::Activity;
use super::super::shared::Shared;
use super::{End, Slot, errors};
use crate::platform::{FileOf, Part, Platform};
use crate::store::Share;

/// Bytes of answers that are gathered before they leave, though more are ready.
const GATHERED_BYTES_MAX: u64 = 256 << 10;

/// Bytes that are sent before it is noted that the client takes them: a slow one is not a silent one.
const SENT_BYTES_MAX: u64 = 4 << 20;

pub(super) struct AnswerWriter<'a, P: Platform> {
    shared: &'a Shared<P>,
    activity: &'a Activity,
    writer: P::Writer,
    gathered: Gathered<P>,
}

/// Answers that are about to leave.
struct Gathered<P: Platform> {
    parts: Vec<Part<FileOf<P>>>,
    bytes: u64,
    /// What each answer answers, and when its request had been read.
    requests: Vec<(Api, Monotonic)>,
}

impl<'a, P: Platform> AnswerWriter<'a, P> {
    pub(super) fn new(shared: &'a Shared<P>, activity: &'a Activity, writer: P::Writer) -> Self {
        let gathered = Gathered { parts: Vec::new(), bytes: 0, requests: Vec::new() };
        Self { shared, activity, writer, gathered }
    }

    /// Answers until there is a reason to end; when the reader has ended, until the queue is empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Slot>) -> End {
        loop {
            if let Err(end) = self.answer_next(&mut queue).await {
                return end;
            }
        }
    }

    async fn answer_next(&mut self, queue: &mut mpsc::Receiver<Slot>) -> Result<(), End> {
        let slot = match queue.try_recv() {
            Ok(slot) => slot,
            Err(QueueError::Empty | QueueError::Disconnected) => {
                self.flush().await?;
                queue.recv().await.ok_or(End::Stopping)?
            }
        };
        match slot {
            Slot::Answered(frame) => self.gathered.push_bytes(frame),
            Slot::Asked { header, received, is_answered, answer, room: _room, alone } => {
                let mut response = self.decided(answer).await?;
                let slices = if let Response::Fetch(fetch) = &mut response { resolve(self.shared, fetch).await } else { Vec::new() };
                let mut has_failed = false;
                errors::each(&response, |error| {
                    has_failed = true;
                    self.shared.counters.failed(header.api, error);
                });
                if is_answered {
                    self.gather(&header, &response, &slices)?;
                    self.gathered.requests.push((header.api, received));
                    if alone.is_some() {
                        self.flush().await?;
                    }
                } else if has_failed {
                    self.flush().await?;
                    return Err(End::Refused);
                }
            }
        }
        if self.gathered.bytes >= GATHERED_BYTES_MAX { self.flush().await } else { Ok(()) }
    }

    /// Waits for the broker's answer.
    async fn decided(&mut self, mut answer: oneshot::Receiver<Response>) -> Result<Response, End> {
        match answer.try_recv() {
            Ok(response) => Ok(response),
            Err(AnswerError::Empty) => {
                self.flush().await?;
                answer.await.map_err(|_| End::Stopping)
            }
            Err(AnswerError::Closed) => Err(End::Stopping),
        }
    }

    fn gather(&mut self, header: &RequestHeader, response: &Response, slices: &[Found<P>]) -> Result<(), End> {
        let lengths: Vec<u64> = slices.iter().map(|slice| bytes(slice)).collect();
        for piece in encode_response(header, response, &lengths, 0)? {
            match piece {
                Piece::Bytes(bytes) => self.gathered.push_bytes(bytes),
                Piece::Slice(at) => self.gathered.push_files(slices.get(at).expect("the encoder names slices that it was given")),
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.gathered.parts.is_empty() {
            return Ok(());
        }
        let mut parts = VecDeque::from(std::mem::take(&mut self.gathered.parts));
        while !parts.is_empty() {
            let next = split_front(&mut parts, SENT_BYTES_MAX);
            self.shared.platform.send(&mut self.writer, next).await.map_err(End::Send)?;
            self.activity.note(self.shared.platform.now().monotonic);
        }
        let now = self.shared.platform.now().monotonic;
        self.shared.counters.bytes_out.add(std::mem::take(&mut self.gathered.bytes));
        for (api, received) in self.gathered.requests.drain(..) {
            self.shared.counters.answered(api, now.since(received));
        }
        Ok(())
    }
}

/// Where the records of a slice are.
type Found<P> = Vec<(FileOf<P>, Range<u64>)>;

/// Looks up where the slices of a fetch are, in the order of the answer, and amends the answer for those that are nowhere.
async fn resolve<P: Platform>(shared: &Shared<P>, fetch: &mut FetchResponse) -> Vec<Found<P>> {
    let partitions = fetch.topics.iter().flat_map(|(_, partitions)| partitions);
    let wanted: Vec<LogSlice> = partitions.filter_map(|partition| partition.slice).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut resolved = shared.store.resolve(&wanted, Share::First(fetch.bytes_max)).await.into_iter();
    let mut found = Vec::with_capacity(wanted.len());
    for (topic, partitions) in &mut fetch.topics {
        for partition in partitions.iter_mut() {
            let Some(slice) = partition.slice else { continue };
            match resolved.next().expect("each slice is resolved") {
                Ok(ranges) => found.push(ranges),
                Err(ReadFailure::Void(void)) => answer_void(&shared.topics(), topic, partition, void),
                Err(ReadFailure::Storage(error)) => answer_unreadable(shared, partition, &slice, &error),
            }
        }
    }
    found
}

/// Answers a partition whose log has changed since the answer was decided with what it would get a moment later.
fn answer_void(topics: &TopicDirectory, topic: &TopicRef, partition: &mut FetchedPartition, void: Void) {
    partition.slice = None;
    match void {
        Void::Trimmed { log_start } => {
            partition.error = Some(ErrorCode::OffsetOutOfRange);
            partition.log_start = log_start;
        }
        // Without records and without an error the client asks again at once.
        Void::Truncated => {}
        Void::Closed => {
            let unknown = match topic {
                TopicRef::Name(_) => ErrorCode::UnknownTopicOrPartition,
                TopicRef::Id(_) => ErrorCode::UnknownTopicId,
            };
            let is_known = topics.settings_of(topic).is_some();
            partition.error = Some(if is_known { ErrorCode::NotLeaderOrFollower } else { unknown });
        }
    }
}

fn answer_unreadable<P: Platform>(shared: &Shared<P>, partition: &mut FetchedPartition, slice: &LogSlice, error: &StorageError) {
    let now = shared.platform.now().monotonic;
    shared.complaints.write(now, || format!("{} could not be read from offset {}: {error:?}", slice.log, slice.from));
    partition.slice = None;
    partition.error = Some(ErrorCode::KafkaStorageError);
}

fn bytes<File>(ranges: &[(File, Range<u64>)]) -> u64 {
    ranges.iter().map(|(_, range)| range.end - range.start).sum()
}

/// Takes parts off the front: as many bytes as allowed, or one part in memory that is longer.
fn split_front<File: Clone>(parts: &mut VecDeque<Part<File>>, bytes_max: u64) -> Vec<Part<File>> {
    let (mut front, mut bytes_left) = (Vec::with_capacity(parts.len()), bytes_max);
    while let Some(part) = parts.pop_front() {
        match part {
            Part::File(file, range) if range.end - range.start > bytes_left => {
                let cut = range.start + bytes_left;
                parts.push_front(Part::File(file.clone(), cut..range.end));
                front.push(Part::File(file, range.start..cut));
                return front;
            }
            Part::File(file, range) => {
                bytes_left -= range.end - range.start;
                front.push(Part::File(file, range));
            }
            Part::Bytes(bytes) => {
                bytes_left = bytes_left.saturating_sub(bytes.len() as u64);
                front.push(Part::Bytes(bytes));
            }
        }
        if bytes_left == 0 {
            break;
        }
    }
    front
}

impl<P: Platform> Gathered<P> {
    fn push_bytes(&mut self, bytes: Bytes) {
        self.bytes += u64::try_from(bytes.len()).expect("a length fits 64 bits");
        self.parts.push(Part::Bytes(bytes));
    }

    fn push_files(&mut self, ranges: &[(FileOf<P>, Range<u64>)]) {
        self.bytes += bytes(ranges);
        self.parts.extend(ranges.iter().map(|(file, range)| Part::File(file.clone(), range.clone())));
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::boundary::Generation;
    use gracchus_core::ids::{LogId, PartitionIndex, TopicId, TopicName, Uuid};
    use gracchus_core::offset::Offset;

    use super::*;

    #[test]
    fn a_partition_that_has_changed_since_is_answered_as_it_is_by_now() {
        let slice = LogSlice { log: LogId::Metadata, generation: Generation(0), from: Offset(3), upto: Offset(9), bytes_max: 9 };
        let decided = FetchedPartition {
            partition: PartitionIndex(0),
            error: None,
            high_watermark: Offset(9),
            last_stable_offset: Offset(9),
            log_start: Offset(0),
            diverging: None,
            current_leader: None,
            aborted: None,
            preferred_read_replica: None,
            slice: Some(slice),
        };
        let (by_name, by_id) = (TopicRef::Name(TopicName::from("t")), TopicRef::Id(TopicId(Uuid([7; 16]))));
        let answered = |topic: &TopicRef, void| {
            let mut partition = decided.clone();
            answer_void(&TopicDirectory::default(), topic, &mut partition, void);
            assert_eq!(partition.slice, None);
            (partition.error, partition.log_start)
        };
        let trimmed = Void::Trimmed { log_start: Offset(5) };
        assert_eq!(answered(&by_name, trimmed), (Some(ErrorCode::OffsetOutOfRange), Offset(5)));
        assert_eq!(answered(&by_name, Void::Truncated), (None, Offset(0)));
        assert_eq!(answered(&by_name, Void::Closed), (Some(ErrorCode::UnknownTopicOrPartition), Offset(0)));
        assert_eq!(answered(&by_id, Void::Closed), (Some(ErrorCode::UnknownTopicId), Offset(0)));
    }

    #[test]
    fn a_long_answer_leaves_in_pieces_that_are_the_whole() {
        let head = || Part::Bytes(Bytes::from_static(b"head"));
        let mut parts = VecDeque::from([head(), Part::File("a", 10..25), Part::File("b", 0..3), head()]);
        let mut sent = Vec::new();
        while !parts.is_empty() {
            let front = split_front(&mut parts, 8);
            assert!(!front.is_empty());
            sent.extend(front);
        }
        let shown: Vec<String> = sent.iter().map(|part| format!("{part:?}")).collect();
        let expected = [head(), Part::File("a", 10..14), Part::File("a", 14..22), Part::File("a", 22..25), Part::File("b", 0..3), head()];
        assert_eq!(shown, expected.map(|part| format!("{part:?}")));
    }
}
