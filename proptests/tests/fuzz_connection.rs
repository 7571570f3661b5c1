//! Bytes that nobody should send: the connection says no or understands them, takes memory in proportion to what came, and never panics.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

use gracchus_net::records::Effort;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use gracchus_core::boundary::Door;
use gracchus_core::broker::TopicDirectory;
use gracchus_core::time::Timestamp;
use gracchus_net::frame::FrameReader;
use gracchus_net::kafka::{Api, Decoded, decode_request};
use gracchus_proptests::wire::{Draw, latest, request};
use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};

/// Memory that a connection may take for each byte that came: a list of short strings is the worst, each some thirty times as long in memory
/// as on the wire, in a vector that doubles, while both the wire's form and the core's exist.
const MEMORY_PER_BYTE: usize = 150;

/// Memory that a connection may take whatever came: buffers to read into.
const MEMORY_MIN: usize = 256 << 10;

const FRAME_BYTES_MAX: u32 = 100 << 20;

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts what each thread has allocated.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.get().wrapping_add(layout.size());
        IN_USE.set(in_use);
        PEAK.set(PEAK.get().max(in_use));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get().wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The most memory that `work` had in use, beyond what was in use before.
fn peak_of(work: impl FnOnce()) -> usize {
    let before = IN_USE.get();
    PEAK.set(before);
    work();
    PEAK.get() - before
}

/// Bytes that arrive in pieces of the given sizes.
struct Pieces {
    bytes: Bytes,
    sizes: Vec<usize>,
    at: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let size = self.sizes[self.at % self.sizes.len()].min(into.remaining()).min(self.bytes.len());
        self.at += 1;
        into.put_slice(&self.bytes.split_to(size));
        Poll::Ready(Ok(()))
    }
}

/// What a connection does with its bytes, up to the core: how many requests it understood.
fn connection(bytes: Bytes, sizes: Vec<usize>, topics: &TopicDirectory) -> usize {
    let work = async {
        let mut reader = FrameReader::new(Pieces { bytes, sizes, at: 0 }, FRAME_BYTES_MAX);
        let mut understood = 0;
        while let Ok(Some(length)) = reader.length().await {
            let Ok(frame) = reader.body(length).await else { break };
            match decode_request(frame, Door::Brokers, topics, Timestamp(1_700_000_000_000), Effort::FULL) {
                Ok(Decoded::Request { .. } | Decoded::Answer(_)) => understood += 1,
                Err(_) => break,
            }
        }
        understood
    };
    match std::pin::pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(understood) => understood,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
    bodies.iter().flat_map(|body| [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()).collect()
}

/// A change to a good request.
#[derive(Clone, Debug)]
enum Damage {
    Flip { at: prop::sample::Index, bit: u8 },
    Overwrite { at: prop::sample::Index, with: Vec<u8> },
    Insert { at: prop::sample::Index, bytes: Vec<u8> },
    Cut { at: prop::sample::Index },
}

impl Damage {
    fn apply(&self, frame: &mut Vec<u8>) {
        if frame.is_empty() {
            return;
        }
        let length = frame.len();
        match self {
            Self::Flip { at, bit } => frame[at.index(length)] ^= 1 << bit,
            Self::Overwrite { at, with } => {
                for (byte, new) in frame[at.index(length)..].iter_mut().zip(with) {
                    *byte = *new;
                }
            }
            Self::Insert { at, bytes } => {
                let at = at.index(length);
                frame.splice(at..at, bytes.iter().copied());
            }
            Self::Cut { at } => frame.truncate(at.index(length)),
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    // Lengths that lie: the largest, a large one, null and minus two, in both forms of the wire.
    let lies = prop::sample::select(vec![
        vec![0x7f, 0xff, 0xff, 0xff],
        vec![0x00, 0x10, 0x00, 0x00],
        vec![0xff; 4],
        vec![0xff, 0xff, 0xff, 0xfe],
        vec![0xff, 0xff, 0xff, 0xff, 0x0f],
        vec![0x80, 0x80, 0x40],
        vec![0x00],
    ]);
    prop_oneof![
        (at(), 0u8..8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        (at(), lies.clone()).prop_map(|(at, with)| Damage::Overwrite { at, with }),
        (at(), lies).prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
        at().prop_map(|at| Damage::Cut { at }),
    ]
}

fn api_and_version() -> impl Strategy<Value = (Api, i16)> {
    prop::sample::select(Api::SERVED.to_vec()).prop_flat_map(|api| (Just(api), *api.versions().start()..=latest(api)))
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..2_000, 1..5)
}

fn assert_bounded(bytes: Vec<u8>, sizes: Vec<usize>) -> Result<(), TestCaseError> {
    let (sent, topics) = (bytes.len(), TopicDirectory::default());
    let bytes = Bytes::from(bytes);
    let peak = peak_of(|| {
        connection(bytes, sizes, &topics);
    });
    prop_assert!(peak <= MEMORY_MIN + MEMORY_PER_BYTE * sent, "{} bytes took {} bytes of memory", sent, peak);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn random_bytes_are_refused_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..4_000), sizes in sizes()) {
        assert_bounded(bytes, sizes)?;
    }

    #[test]
    fn random_bodies_of_every_api_are_refused_within_bounds(
        (api, version) in api_and_version(),
        body in prop::collection::vec(prop_oneof![3 => Just(1u8), 2 => Just(0u8), 1 => any::<u8>()], 0..4_000),
        sizes in sizes(),
    ) {
        let head = [&api.key().to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 1, 0xff, 0xff]].concat();
        assert_bounded(framed(&[[head, body].concat()]), sizes)?;
    }

    #[test]
    fn damaged_requests_are_refused_or_understood_within_bounds(
        (api, version) in api_and_version(),
        entropy in prop::collection::vec(any::<u8>(), 0..600),
        damages in prop::collection::vec(damage(), 0..4),
        sizes in sizes(),
    ) {
        let (frame, _) = request(api, version, &mut Draw::new(&entropy));
        let mut frame = frame.to_vec();
        for damage in &damages {
            damage.apply(&mut frame);
        }
        assert_bounded(framed(&[frame]), sizes)?;
    }
}

#[test]
fn a_stream_of_good_requests_is_understood_however_it_is_cut() {
    let bodies: Vec<Vec<u8>> =
        Api::SERVED.iter().map(|&api| request(api, *api.versions().start(), &mut Draw::new(&[1; 200])).0.to_vec()).collect();
    for sizes in [vec![1], vec![3, 1, 7], vec![usize::MAX]] {
        assert_eq!(connection(framed(&bodies).into(), sizes, &TopicDirectory::default()), bodies.len());
    }
}

#[test]
fn lists_of_nothing_stay_within_bounds() {
    // As many of the shortest elements as a long request holds: topics without a name, settings without a value.
    for (api, version, head) in [
        (Api::Metadata, 1, vec![0x00, 0x03, 0x00, 0x00]),
        (Api::DeleteTopics, 1, vec![0x00, 0x03, 0x00, 0x00]),
        (Api::CreateTopics, 5, vec![0x00, 0x81, 0x80, 0x0c]),
        (Api::Produce, 9, vec![0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x81, 0x80, 0x0c]),
        (Api::Fetch, 12, [&[0; 1 + 4 * 6 + 1][..], &[0x81, 0x80, 0x0c]].concat()),
    ] {
        let start = [&api.key().to_be_bytes()[..], &i16::to_be_bytes(version), &[0, 0, 0, 1, 0xff, 0xff]].concat();
        for filling in [0, 1] {
            assert_bounded(framed(&[[start.clone(), head.clone(), vec![filling; 400_000]].concat()]), vec![usize::MAX]).unwrap();
        }
    }
}

#[test]
fn a_frame_that_is_only_announced_takes_next_to_nothing() {
    let topics = TopicDirectory::default();
    let peak = peak_of(|| assert_eq!(connection(Bytes::from_static(&[0x05, 0, 0, 0]), vec![4], &topics), 0));
    assert!(peak < 128 << 10, "{peak}");
}
