//! Transactions: there is no coordinator for them, and no partition has one's markers.

use kafka_wire::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, DescribeProducersRequest,
    DescribeProducersResponse, DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse,
    ListTransactionsRequest, ListTransactionsResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse, add_partitions_to_txn_request, add_partitions_to_txn_response, describe_producers_response,
    describe_transactions_response, txn_offset_commit_response, write_txn_markers_request, write_txn_markers_response,
};

use super::{each, filled, no_coordinator, say, unsupported};

/// The first version of AddPartitionsToTxn that brokers batch (KIP-890), with an error of its own.
const ADD_MANY_FROM: i16 = 4;

pub(super) fn add_partitions(asked: AddPartitionsToTxnRequest, version: i16) -> AddPartitionsToTxnResponse {
    if version >= ADD_MANY_FROM {
        return filled!(AddPartitionsToTxnResponse { error_code: no_coordinator() });
    }
    filled!(AddPartitionsToTxnResponse { results_by_topic_v3_and_below: each(asked.v3_and_below_topics, not_added) })
}

fn not_added(topic: add_partitions_to_txn_request::AddPartitionsToTxnTopic) -> add_partitions_to_txn_response::AddPartitionsToTxnTopicResult {
    let partitions = each(topic.partitions, |index| {
        filled!(add_partitions_to_txn_response::AddPartitionsToTxnPartitionResult {
            partition_index: index,
            partition_error_code: no_coordinator(),
        })
    });
    filled!(add_partitions_to_txn_response::AddPartitionsToTxnTopicResult { name: topic.name, results_by_partition: partitions })
}

pub(super) fn add_offsets(_: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    filled!(AddOffsetsToTxnResponse { error_code: no_coordinator() })
}

pub(super) fn end(_: EndTxnRequest) -> EndTxnResponse {
    filled!(EndTxnResponse { error_code: no_coordinator() })
}

pub(super) fn offset_commit(asked: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let topics = each(asked.topics, |topic| {
        let partitions = each(topic.partitions, |partition| {
            filled!(txn_offset_commit_response::TxnOffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: no_coordinator(),
            })
        });
        filled!(txn_offset_commit_response::TxnOffsetCommitResponseTopic { name: topic.name, partitions: partitions })
    });
    filled!(TxnOffsetCommitResponse { topics: topics })
}

pub(super) fn write_markers(asked: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let markers = each(asked.markers, |marker| {
        let topics = each(marker.topics, unmarked);
        filled!(write_txn_markers_response::WritableTxnMarkerResult { producer_id: marker.producer_id, topics: topics })
    });
    filled!(WriteTxnMarkersResponse { markers: markers })
}

fn unmarked(topic: write_txn_markers_request::WritableTxnMarkerTopic) -> write_txn_markers_response::WritableTxnMarkerTopicResult {
    let partitions = each(topic.partition_indexes, |index| {
        filled!(write_txn_markers_response::WritableTxnMarkerPartitionResult { partition_index: index, error_code: unsupported() })
    });
    filled!(write_txn_markers_response::WritableTxnMarkerTopicResult { name: topic.name, partitions: partitions })
}

pub(super) fn describe(asked: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let states = each(asked.transactional_ids, |id| {
        filled!(describe_transactions_response::TransactionState { transactional_id: id, error_code: no_coordinator() })
    });
    filled!(DescribeTransactionsResponse { transaction_states: states })
}

pub(super) fn list(_: ListTransactionsRequest) -> ListTransactionsResponse {
    filled!(ListTransactionsResponse { error_code: no_coordinator() })
}

pub(super) fn describe_producers(asked: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = each(asked.topics, |topic| {
        let partitions = each(topic.partition_indexes, |index| {
            filled!(describe_producers_response::PartitionResponse {
                partition_index: index,
                error_code: unsupported(),
                error_message: say("This broker does not describe producers yet."),
            })
        });
        filled!(describe_producers_response::TopicResponse { name: topic.name, partitions: partitions })
    });
    filled!(DescribeProducersResponse { topics: topics })
}
