//! Produce requests made once and sent many times: only what differs between two of them is written again.

use std::ops::Range;

use bytes::BytesMut;
use gracchus_core::epoch::{LeaderEpoch, ProducerEpoch};
use gracchus_core::ids::ProducerId;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchProducer, Codec, batch_crc};
use gracchus_core::time::Timestamp;
use gracchus_net::client::{Acks, PartitionBatch, TopicKey, produce_request};
use kafka_wire::{OutboundFrameLimits, encode_request};
use kafka_wire_core::{ApiVersion, StrBytes};

use super::super::batch::seal;
use super::super::error::CliError;

/// The newest Produce whose frame ends with its batch: from version 9 on there are tags behind it.
pub(super) const PRODUCE_VERSION_MAX: i16 = 8;

const CRC: Range<usize> = 17..21;
const BASE_AND_MAX_TIMESTAMP: Range<usize> = 27..43;
const BASE_SEQUENCE: Range<usize> = 53..57;

/// What a template's batches have in common.
#[derive(Clone, Debug)]
pub(super) struct TemplateShape {
    pub(super) topic: TopicKey,
    pub(super) partition: i32,
    pub(super) acks: Acks,
    pub(super) codec: Codec,
    pub(super) timeout_ms: i32,
    pub(super) version: i16,
    pub(super) record_bytes: usize,
    pub(super) records: i32,
    pub(super) producer: Option<(ProducerId, ProducerEpoch)>,
}

/// A whole frame that ends with a batch.
#[derive(Clone, Debug)]
pub(super) struct Template {
    frame: BytesMut,
    batch_at: usize,
    records: i32,
}

impl Template {
    /// Encodes the frame. `seed` decides what the records say.
    pub(super) fn new(shape: &TemplateShape, seed: u64) -> Result<Self, CliError> {
        let mut noise = Noise(seed);
        let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
        if let Some((id, epoch)) = shape.producer {
            builder = builder.producer(BatchProducer { id, epoch, base_sequence: 0 });
        }
        let mut value = vec![0; shape.record_bytes];
        for _ in 0..shape.records {
            noise.fill(&mut value);
            builder.append(Timestamp(0), None, Some(&value), &[]);
        }
        let batch = seal(builder, shape.codec);
        let batch_bytes = batch.len();
        let only = PartitionBatch { topic: shape.topic.clone(), partition: shape.partition, batch };
        let request = produce_request(shape.acks, shape.timeout_ms, [only]);
        let mut frame = BytesMut::new();
        let limits = OutboundFrameLimits::new(i32::MAX.unsigned_abs() as usize);
        encode_request(&mut frame, 0, Some(StrBytes::from("gracchus-perf")), &request, ApiVersion::new(shape.version), limits)
            .map_err(|error| CliError::failure(format!("a batch can't be encoded: {error}")))?;
        let batch_at = frame.len() - batch_bytes;
        Ok(Self { frame, batch_at, records: shape.records })
    }

    /// How many records it brings.
    pub(super) fn records(&self) -> i32 {
        self.records
    }

    /// The frame with this time and sequence. Its correlation id is whoever sends it to set.
    pub(super) fn stamped(&mut self, now: Timestamp, base_sequence: Option<i32>) -> &mut [u8] {
        let batch = self.frame.get_mut(self.batch_at..).expect("the frame ends with its batch");
        let mut put = |at: Range<usize>, bytes: &[u8]| batch.get_mut(at).expect("a batch has a header").copy_from_slice(bytes);
        put(BASE_AND_MAX_TIMESTAMP, &[now.0.to_be_bytes(), now.0.to_be_bytes()].concat());
        if let Some(sequence) = base_sequence {
            put(BASE_SEQUENCE, &sequence.to_be_bytes());
        }
        let crc = batch_crc(batch);
        batch.get_mut(CRC).expect("a batch has a header").copy_from_slice(&crc.to_be_bytes());
        &mut self.frame
    }
}

/// Bytes that compress about as badly as text in base 64 does: what is sent should be neither all alike nor beyond compression.
#[derive(Clone, Copy, Debug)]
struct Noise(u64);

impl Noise {
    fn fill(&mut self, bytes: &mut [u8]) {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for byte in bytes {
            // SplitMix64.
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            let at = usize::try_from(mixed >> 58).expect("six bits are left");
            *byte = *ALPHABET.get(at).expect("six bits name a symbol");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gracchus_core::record::{BatchHeader, check_crc};
    use kafka_wire_core::Uuid;

    #[test]
    fn a_stamped_batch_is_sound() {
        let shape = TemplateShape {
            topic: TopicKey { name: StrBytes::from("t"), id: Uuid::ZERO },
            partition: 3,
            acks: Acks::All,
            codec: Codec::None,
            timeout_ms: 1000,
            version: PRODUCE_VERSION_MAX,
            record_bytes: 100,
            records: 10,
            producer: Some((ProducerId(7), ProducerEpoch(1))),
        };
        let mut template = Template::new(&shape, 1).unwrap();
        let at = template.batch_at;
        let batch = template.stamped(Timestamp(1_700_000_000_000), Some(40))[at..].to_vec();

        assert_eq!(check_crc(&batch), Ok(()));
        let header = BatchHeader::parse(&batch).unwrap();
        assert_eq!(header.record_count, 10);
        assert_eq!(header.producer.unwrap().base_sequence, 40);
        assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(1_700_000_000_000), Timestamp(1_700_000_000_000)));
    }
}
