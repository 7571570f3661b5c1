//! Answers about records and those who write them.

use gracchus_core::boundary::*;
use gracchus_core::epoch::{LeaderEpoch, ProducerEpoch};
use gracchus_core::ids::{LogId, ProducerId};
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;

use super::*;

pub(super) fn produce(version: i16, draw: &mut Draw<'_>) {
    let response = ProduceResponse {
        topics: draw.list(|draw| (topic_ref(version >= 13, draw), draw.list(produced))),
        endpoints: since(version >= 10, draw.list(endpoint)),
    };
    let mut message = wire::ProduceResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (topic, partitions) in &response.topics {
        let mut answered = wire::produce_response::TopicProduceResponse::default();
        match topic {
            TopicRef::Name(name) => answered.name = topic_text(name),
            TopicRef::Id(id) => answered.topic_id = uuid(*id),
        }
        answered.partition_responses = partitions.iter().map(|partition| produced_message(partition, version)).collect();
        message.responses.push(answered);
    }
    let node = wire::produce_response::NodeEndpoint::default;
    for endpoint in &response.endpoints {
        let node = node().with_node_id(wire::BrokerId(endpoint.node.0)).with_host(text(&endpoint.host));
        message.node_endpoints.push(node.with_port(i32::from(endpoint.port)).with_rack(endpoint.rack.as_deref().map(text)));
    }
    compare(Api::Produce, version, &Response::Produce(response), &message);
}

fn topic_ref(by_id: bool, draw: &mut Draw<'_>) -> TopicRef {
    if by_id { TopicRef::Id(id(draw)) } else { TopicRef::Name(name(draw)) }
}

fn produced(draw: &mut Draw<'_>) -> ProducedPartition {
    let partition = index(draw);
    let result = if draw.flag() {
        Ok(Produced {
            base_offset: Offset(draw.i64()),
            log_append_time: draw.option(|draw| Timestamp(draw.i64())),
            log_start: Offset(draw.i64()),
        })
    } else {
        Err(ProduceFailure {
            error: api_error(draw),
            records: draw.list(|draw| (draw.i32(), draw.text())),
            log_start: draw.option(|draw| Offset(draw.i64())),
            current_leader: draw.option(|draw| (node(draw), LeaderEpoch(draw.i32()))),
        })
    };
    ProducedPartition { partition, result }
}

fn produced_message(partition: &ProducedPartition, version: i16) -> wire::produce_response::PartitionProduceResponse {
    let mut message = wire::produce_response::PartitionProduceResponse::default().with_index(partition.partition.0);
    message.base_offset = -1;
    let log_start = match &partition.result {
        Ok(produced) => {
            message.base_offset = produced.base_offset.0;
            message.log_append_time_ms = produced.log_append_time.map_or(-1, |time| time.0);
            Some(produced.log_start)
        }
        Err(failure) => {
            (message.error_code, message.error_message) = number_and_message(Some(&failure.error));
            message.error_message = since(version >= 8, message.error_message);
            for (place, words) in failure.records.iter().filter(|_| version >= 8) {
                let record = wire::produce_response::BatchIndexAndErrorMessage::default();
                message.record_errors.push(record.with_batch_index(*place).with_batch_index_error_message(Some(text(words))));
            }
            if let Some((node, epoch)) = failure.current_leader.filter(|_| version >= 10) {
                message.current_leader.leader_id = wire::BrokerId(node.0);
                message.current_leader.leader_epoch = epoch.0;
            }
            failure.log_start
        }
    };
    if version >= 5 {
        message.log_start_offset = log_start.map_or(-1, |offset| offset.0);
    }
    message
}

pub(super) fn fetch(version: i16, draw: &mut Draw<'_>) {
    let response = FetchResponse {
        error: since(version >= 7, draw.option(error)),
        session_id: since(version >= 7, draw.i32()),
        bytes_max: 0,
        topics: draw.list(|draw| (topic_ref(version >= 13, draw), draw.list(|draw| fetched(version, draw)))),
        endpoints: since(version >= 16, draw.list(endpoint)),
    };
    let sliced = response.topics.iter().flat_map(|(_, partitions)| partitions).filter(|partition| partition.slice.is_some()).count();
    let slices: Vec<_> = (0..sliced).map(|_| Bytes::from(vec![7; usize::from(draw.below(200))])).collect();
    let mut message = wire::FetchResponse::default().with_throttle_time_ms(THROTTLE_MS);
    message.error_code = number(response.error);
    message.session_id = response.session_id;
    let mut rest = slices.iter();
    for (topic, partitions) in &response.topics {
        let mut answered = wire::fetch_response::FetchableTopicResponse::default();
        match topic {
            TopicRef::Name(name) => answered.topic = topic_text(name),
            TopicRef::Id(id) => answered.topic_id = uuid(*id),
        }
        for partition in partitions {
            let slice = partition.slice.as_ref().and_then(|_| rest.next());
            answered.partitions.push(fetched_message(partition, slice, version));
        }
        message.responses.push(answered);
    }
    let node = wire::fetch_response::NodeEndpoint::default;
    for endpoint in &response.endpoints {
        let node = node().with_node_id(wire::BrokerId(endpoint.node.0)).with_host(text(&endpoint.host));
        message.node_endpoints.push(node.with_port(i32::from(endpoint.port)).with_rack(endpoint.rack.as_deref().map(text)));
    }
    compare_fetched(&header(Api::Fetch, version), &Response::Fetch(response), &slices, &message);
}

fn fetched(version: i16, draw: &mut Draw<'_>) -> FetchedPartition {
    let slice = LogSlice { log: LogId::Metadata, generation: Generation(0), from: Offset(0), upto: Offset(9), bytes_max: 9 };
    FetchedPartition {
        partition: index(draw),
        error: draw.option(error),
        high_watermark: Offset(draw.i64()),
        last_stable_offset: Offset(draw.i64()),
        log_start: Offset(draw.i64()),
        diverging: since(version >= 12, draw.option(|draw| (LeaderEpoch(draw.i32()), Offset(draw.i64())))),
        current_leader: since(version >= 12, draw.option(|draw| (node(draw), LeaderEpoch(draw.i32())))),
        aborted: draw.option(|draw| draw.list(|draw| (ProducerId(draw.i64()), Offset(draw.i64())))),
        preferred_read_replica: since(version >= 11, draw.option(node)),
        slice: draw.option(|_| slice),
    }
}

fn fetched_message(partition: &FetchedPartition, slice: Option<&Bytes>, version: i16) -> wire::fetch_response::PartitionData {
    let mut message = wire::fetch_response::PartitionData::default();
    message.partition_index = partition.partition.0;
    message.error_code = number(partition.error);
    message.high_watermark = partition.high_watermark.0;
    message.last_stable_offset = partition.last_stable_offset.0;
    if version >= 5 {
        message.log_start_offset = partition.log_start.0;
    }
    if let Some((epoch, end)) = partition.diverging {
        message.diverging_epoch = wire::fetch_response::EpochEndOffset::default().with_epoch(epoch.0).with_end_offset(end.0);
    }
    if let Some((node, epoch)) = partition.current_leader {
        message.current_leader.leader_id = wire::BrokerId(node.0);
        message.current_leader.leader_epoch = epoch.0;
    }
    let aborted = wire::fetch_response::AbortedTransaction::default;
    message.aborted_transactions = partition.aborted.as_ref().map(|all| {
        all.iter().map(|(producer, first)| aborted().with_producer_id(wire::ProducerId(producer.0)).with_first_offset(first.0)).collect()
    });
    message.preferred_read_replica = node_or_none(partition.preferred_read_replica);
    message.records = Some(slice.cloned().unwrap_or_default());
    message
}

pub(super) fn list_offsets(version: i16, draw: &mut Draw<'_>) {
    let found = |draw: &mut Draw<'_>| OffsetFound {
        offset: Offset(draw.i64()),
        timestamp: Timestamp(draw.i64()),
        leader_epoch: LeaderEpoch(draw.i32()),
    };
    let listed = |draw: &mut Draw<'_>| ListedOffset {
        partition: index(draw),
        result: if draw.flag() { Ok(found(draw)) } else { Err(ErrorCode::OffsetNotAvailable) },
    };
    let response = ListOffsetsResponse { topics: draw.list(|draw| (name(draw), draw.list(listed))) };
    let mut message = wire::ListOffsetsResponse::default().with_throttle_time_ms(since(version >= 2, THROTTLE_MS));
    for (name, partitions) in &response.topics {
        let mut topic = wire::list_offsets_response::ListOffsetsTopicResponse::default().with_name(topic_text(name));
        for listed in partitions {
            let mut partition = wire::list_offsets_response::ListOffsetsPartitionResponse::default();
            partition.partition_index = listed.partition.0;
            match &listed.result {
                Ok(found) => {
                    partition.offset = found.offset.0;
                    partition.timestamp = found.timestamp.0;
                    partition.leader_epoch = if version >= 4 { found.leader_epoch.0 } else { -1 };
                }
                // KIP-207: before version 5 it was LEADER_NOT_AVAILABLE.
                Err(_) => partition.error_code = if version >= 5 { 78 } else { 5 },
            }
            topic.partitions.push(partition);
        }
        message.topics.push(topic);
    }
    compare(Api::ListOffsets, version, &Response::ListOffsets(response), &message);
}

pub(super) fn offset_for_leader_epoch(version: i16, draw: &mut Draw<'_>) {
    let end = |draw: &mut Draw<'_>| EpochEnd {
        partition: index(draw),
        result: if draw.flag() { Ok((LeaderEpoch(draw.i32()), Offset(draw.i64()))) } else { Err(error(draw)) },
    };
    let response = OffsetForLeaderEpochResponse { topics: draw.list(|draw| (name(draw), draw.list(end))) };
    let mut message = wire::OffsetForLeaderEpochResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (name, ends) in &response.topics {
        let mut topic = wire::offset_for_leader_epoch_response::OffsetForLeaderTopicResult::default().with_topic(topic_text(name));
        for end in ends {
            let (epoch, offset) = end.result.unwrap_or((LeaderEpoch(-1), Offset(-1)));
            let mut partition = wire::offset_for_leader_epoch_response::EpochEndOffset::default().with_partition(end.partition.0);
            partition.error_code = number(end.result.err());
            topic.partitions.push(partition.with_leader_epoch(epoch.0).with_end_offset(offset.0));
        }
        message.topics.push(topic);
    }
    compare(Api::OffsetForLeaderEpoch, version, &Response::OffsetForLeaderEpoch(response), &message);
}

pub(super) fn delete_records(version: i16, draw: &mut Draw<'_>) {
    let start = |draw: &mut Draw<'_>| (index(draw), if draw.flag() { Ok(Offset(draw.i64())) } else { Err(error(draw)) });
    let response = DeleteRecordsResponse { topics: draw.list(|draw| (name(draw), draw.list(start))) };
    let mut message = wire::DeleteRecordsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (name, starts) in &response.topics {
        let mut topic = wire::delete_records_response::DeleteRecordsTopicResult::default().with_name(topic_text(name));
        for (index, start) in starts {
            let mut partition = wire::delete_records_response::DeleteRecordsPartitionResult::default().with_partition_index(index.0);
            partition.error_code = number(start.err());
            topic.partitions.push(partition.with_low_watermark(start.map_or(-1, |offset| offset.0)));
        }
        message.topics.push(topic);
    }
    compare(Api::DeleteRecords, version, &Response::DeleteRecords(response), &message);
}

pub(super) fn init_producer_id(version: i16, draw: &mut Draw<'_>) {
    let result = if draw.flag() { Ok((ProducerId(draw.i64()), ProducerEpoch(draw.i16()))) } else { Err(ErrorCode::ProducerFenced) };
    let mut message = wire::InitProducerIdResponse::default().with_throttle_time_ms(THROTTLE_MS);
    match result {
        Ok((id, epoch)) => {
            message.producer_id = wire::ProducerId(id.0);
            message.producer_epoch = epoch.0;
        }
        // KIP-588: before version 4 it was INVALID_PRODUCER_EPOCH.
        Err(_) => {
            message.error_code = if version >= 4 { 90 } else { 47 };
            message.producer_id = wire::ProducerId(-1);
            message.producer_epoch = -1;
        }
    }
    compare(Api::InitProducerId, version, &Response::InitProducerId(InitProducerIdResponse { result }), &message);
}
