//! Batches against kafka-protocol's record codec, which shares nothing with ours; and against whatever bytes there are.

use bytes::{Bytes, BytesMut};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;
use gracchus_core::record::{
    BatchHeader, Codec, ControlRecord, CorruptBatch, HEADER_BYTES, PATCHED_HEAD_BYTES, Records, TimestampType, assemble, batch_crc, check_crc,
    patched_head, rewrite_append_time, rewrite_max_timestamp, validate_records,
};
use gracchus_core::time::Timestamp;
use gracchus_proptests::batches::{BatchContent, RecordContent, batch};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType as OracleTimestampType,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

proptest! {
    #[test]
    fn what_we_build_the_oracle_reads(content in batch()) {
        let records = oracle_reads(&content.build());
        prop_assert_eq!(records, oracle_records(&content, &no_gaps(&content)));
    }

    #[test]
    fn what_the_oracle_builds_we_read(content in batch(), gaps in vec(1..1_000i32, 20)) {
        let deltas = ascending(&content, &gaps);
        let bytes = oracle_builds(&oracle_records(&content, &deltas), Compression::None, <[u8]>::to_vec);
        prop_assert_eq!(check_crc(&bytes), Ok(()));
        let header = BatchHeader::parse(&bytes).expect("the oracle's header is sound");
        prop_assert_eq!(usize::try_from(header.batch_bytes), Ok(bytes.len()));
        prop_assert_eq!(header.base_offset, content.base_offset);
        prop_assert_eq!(header.leader_epoch, content.leader_epoch);
        prop_assert_eq!(header.producer, content.producer);
        prop_assert_eq!((header.is_transactional, header.is_control), (content.is_transactional, content.is_control));
        prop_assert_eq!(Some(&header.last_offset_delta), deltas.last());
        prop_assert_eq!(usize::try_from(header.record_count), Ok(content.records.len()));

        let found: Vec<_> = Records::new(section_of(&bytes)).collect::<Result<_, _>>().expect("the oracle's records are sound");
        prop_assert_eq!(found.len(), content.records.len());
        for ((found, delta), record) in found.iter().zip(&deltas).zip(&content.records) {
            prop_assert_eq!(found.offset_delta, *delta);
            prop_assert_eq!(header.base_timestamp.0 + found.timestamp_delta, record.timestamp.0);
            prop_assert_eq!(found.key, record.key.as_deref());
            prop_assert_eq!(found.value, record.value.as_deref());
            let headers: Vec<_> = record.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref())).collect();
            prop_assert_eq!(found.headers.iter().collect::<Vec<_>>(), headers);
        }
    }

    #[test]
    fn what_the_oracle_builds_is_summed_up(content in batch(), gaps in vec(1..1_000i32, 20)) {
        let deltas = ascending(&content, &gaps);
        let bytes = oracle_builds(&oracle_records(&content, &deltas), Compression::None, <[u8]>::to_vec);
        let header = BatchHeader::parse(&bytes).expect("the oracle's header is sound");
        let summary = validate_records(section_of(&bytes), &header).expect("the oracle's records are in their places");
        let largest = content.records.iter().map(|record| record.timestamp).max();
        let first_largest = content.records.iter().zip(&deltas).find(|(record, _)| Some(record.timestamp) == largest);
        prop_assert_eq!(Some(summary.max_timestamp), largest);
        prop_assert_eq!(summary.max_timestamp, header.max_timestamp);
        prop_assert_eq!(Some(summary.min_timestamp), content.records.iter().map(|record| record.timestamp).min());
        prop_assert_eq!(Some(summary.offset_delta_of_max_timestamp), first_largest.map(|(_, &delta)| delta));
        prop_assert_eq!(summary.has_keyless_record, content.records.iter().any(|record| record.key.is_none()));
    }

    #[test]
    fn a_compressed_batch_passes_through_with_its_header_read(content in batch(), (codec, compression) in codecs()) {
        let bytes = oracle_builds(&oracle_records(&content, &no_gaps(&content)), compression, scramble);
        prop_assert_eq!(check_crc(&bytes), Ok(()));
        let header = BatchHeader::parse(&bytes).expect("the oracle's header is sound");
        prop_assert_eq!(header.codec, codec);
        prop_assert_eq!(usize::try_from(header.record_count), Ok(content.records.len()));
        prop_assert_eq!(assemble(&header, section_of(&bytes)), bytes);
    }

    #[test]
    fn a_batch_assembled_around_compressed_records_is_read_by_the_oracle(content in batch(), (codec, compression) in codecs()) {
        let (header, section) = content.builder().finish();
        let mut bytes = assemble(&BatchHeader { codec, ..header }, &scramble(&section));
        let unscramble = |bytes: &mut Bytes, found: Compression| {
            assert_eq!(found, compression);
            Ok(Bytes::from(scramble(bytes)))
        };
        let set = RecordBatchDecoder::decode_with_custom_compression(&mut bytes, Some(unscramble)).expect("the oracle reads what we build");
        prop_assert_eq!(set.records, oracle_records(&content, &no_gaps(&content)));
    }

    #[test]
    fn a_patched_batch_is_at_its_new_place(content in batch(), base_offset in 0..1i64 << 40, leader_epoch in 0..i32::MAX) {
        let sent = BatchContent { base_offset: Offset::ZERO, leader_epoch: LeaderEpoch::NONE, ..content.clone() }.build();
        let placed = BatchContent { base_offset: Offset(base_offset), leader_epoch: LeaderEpoch(leader_epoch), ..content };
        let header = BatchHeader {
            base_offset: placed.base_offset,
            leader_epoch: placed.leader_epoch,
            ..BatchHeader::parse(&sent).expect("our own batch is sound")
        };
        let patched = [&patched_head(&header)[..], &sent[PATCHED_HEAD_BYTES..]].concat();
        prop_assert_eq!(&patched[..], &placed.build()[..]);
        prop_assert_eq!(oracle_reads(&patched), oracle_records(&placed, &no_gaps(&placed)));
    }

    #[test]
    fn the_oracle_sees_append_time_on_a_rewritten_batch(content in batch(), append_time in 0..1i64 << 50) {
        let mut bytes = content.build().to_vec();
        let header = rewrite_append_time(&mut bytes, Timestamp(append_time)).expect("our own batch is sound");
        prop_assert_eq!(BatchHeader::parse(&bytes), Ok(header));
        prop_assert_eq!((header.timestamp_type, header.max_timestamp), (TimestampType::LogAppendTime, Timestamp(append_time)));
        prop_assert!(oracle_reads(&bytes).iter().all(|record| record.timestamp_type == OracleTimestampType::LogAppend));
        let summary = validate_records(section_of(&bytes), &header).expect("the records are as they were");
        prop_assert_eq!(summary.max_timestamp, Timestamp(append_time));
    }

    #[test]
    fn a_maximum_timestamp_that_lies_can_be_put_right(content in batch(), lie in any::<i64>()) {
        let original = content.build().to_vec();
        let mut bytes = original.clone();
        let header = rewrite_max_timestamp(&mut bytes, Timestamp(lie)).expect("our own batch is sound");
        let summary = validate_records(section_of(&bytes), &header).expect("the records are as they were");
        rewrite_max_timestamp(&mut bytes, summary.max_timestamp).expect("our own batch is sound");
        prop_assert_eq!(bytes, original);
    }

    #[test]
    fn a_flipped_bit_is_found_unless_it_lies_where_a_leader_patches(content in batch(), place in any::<Index>(), bit in 0..8u32) {
        let mut bytes = content.build().to_vec();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let is_patched = place < 8 || (12..16).contains(&place);
        prop_assert_eq!(check_crc(&bytes).is_ok(), is_patched, "byte {} bit {}", place, bit);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }

    #[test]
    fn random_records_behind_a_sound_header_never_panic(content in batch(), section in vec(any::<u8>(), 0..300)) {
        let (header, _) = content.builder().finish();
        read_everything(&assemble(&header, &section));
    }

    #[test]
    fn a_mangled_batch_never_panics(content in batch(), edits in vec((any::<Index>(), any::<u8>()), 1..8), length in any::<Index>()) {
        let mut bytes = content.build().to_vec();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read_everything(&bytes);
        bytes.truncate(length.index(bytes.len()));
        read_everything(&bytes);
    }

    #[test]
    fn a_batch_that_is_cut_off_is_never_sound(content in batch(), length in any::<Index>()) {
        let bytes = content.build();
        let is_short = matches!(check_crc(&bytes[..length.index(bytes.len())]), Err(CorruptBatch::Short { .. }));
        prop_assert!(is_short);
    }
}

/// Every reader on the same bytes, once more with the CRC put right so that nothing hides behind it.
fn read_everything(bytes: &[u8]) {
    let _ = check_crc(bytes);
    let section = bytes.get(HEADER_BYTES..).unwrap_or_default();
    for record in Records::new(section).chain(Records::new(bytes)).flatten() {
        assert_eq!(record.headers.iter().count(), record.headers.len());
        let _ = ControlRecord::parse(&record);
    }
    let Ok(header) = BatchHeader::parse(bytes) else {
        return;
    };
    let _ = validate_records(section, &header);
    assert_eq!(BatchHeader::parse_prefix(&header.encode()).map(|parsed| parsed.encode()), Ok(header.encode()));
    let length = usize::try_from(header.batch_bytes).expect("a batch fits into memory");
    let mut batch = bytes.get(..length).expect("the batch is whole").to_vec();
    let crc = batch_crc(&batch);
    batch.get_mut(17..21).expect("the batch has a header").copy_from_slice(&crc.to_be_bytes());
    assert_eq!(check_crc(&batch), Ok(()));
    rewrite_append_time(&mut batch, Timestamp(0)).expect("what parsed once parses again");
    assert_eq!(check_crc(&batch), Ok(()));
}

fn codecs() -> impl Strategy<Value = (Codec, Compression)> {
    select(vec![
        (Codec::Gzip, Compression::Gzip),
        (Codec::Snappy, Compression::Snappy),
        (Codec::Lz4, Compression::Lz4),
        (Codec::Zstd, Compression::Zstd),
    ])
}

/// Stands in for a codec, since the core never looks inside. Its own inverse.
fn scramble(section: &[u8]) -> Vec<u8> {
    section.iter().rev().map(|byte| byte ^ 0xa5).collect()
}

fn section_of(bytes: &[u8]) -> &[u8] {
    bytes.get(HEADER_BYTES..).expect("a batch has a header")
}

fn oracle_reads(bytes: &[u8]) -> Vec<Record> {
    RecordBatchDecoder::decode(&mut Bytes::copy_from_slice(bytes)).expect("the oracle reads what we build").records
}

fn oracle_builds(records: &[Record], compression: Compression, compress: impl Fn(&[u8]) -> Vec<u8>) -> Bytes {
    let compressor = |section: &mut BytesMut, out: &mut BytesMut, _: Compression| {
        out.extend_from_slice(&compress(section));
        Ok(())
    };
    let options = RecordEncodeOptions { version: 2, compression };
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode_with_custom_compression(&mut out, records, &options, Some(compressor)).expect("the oracle builds");
    out.freeze()
}

fn no_gaps(content: &BatchContent) -> Vec<i32> {
    (0..).take(content.records.len()).collect()
}

/// Offset deltas as compaction leaves them. The first record stays, since the oracle takes its offset for the base.
fn ascending(content: &BatchContent, gaps: &[i32]) -> Vec<i32> {
    let steps = gaps.iter().scan(0, |delta, gap| {
        *delta += gap;
        Some(*delta)
    });
    std::iter::once(0).chain(steps).take(content.records.len()).collect()
}

fn oracle_records(content: &BatchContent, deltas: &[i32]) -> Vec<Record> {
    content.records.iter().zip(deltas).map(|(record, &delta)| oracle_record(content, record, delta)).collect()
}

fn oracle_record(content: &BatchContent, record: &RecordContent, delta: i32) -> Record {
    let header = |(key, value): (String, Option<Vec<u8>>)| (StrBytes::from_string(key), value.map(Bytes::from));
    Record {
        transactional: content.is_transactional,
        control: content.is_control,
        delete_horizon: false,
        partition_leader_epoch: content.leader_epoch.0,
        producer_id: content.producer.map_or(-1, |producer| producer.id.0),
        producer_epoch: content.producer.map_or(-1, |producer| producer.epoch.0),
        timestamp_type: OracleTimestampType::Creation,
        offset: content.base_offset.0 + i64::from(delta),
        sequence: content.producer.map_or(-1, |producer| producer.base_sequence).wrapping_add(delta),
        timestamp: record.timestamp.0,
        key: record.key.clone().map(Bytes::from),
        value: record.value.clone().map(Bytes::from),
        headers: record.headers.iter().cloned().map(header).collect(),
    }
}
