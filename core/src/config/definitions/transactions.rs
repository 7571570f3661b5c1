//! Producers and transactions.

use super::Definition;
use super::build::{boolean, int, short};

pub(super) const TRANSACTIONS: &[Definition] = &[
    int("transaction.max.timeout.ms").default("900000").at_least(1).doc("Longest timeout that a transaction may ask for."),
    int("transactional.id.expiration.ms")
        .default("604800000")
        .at_least(1)
        .doc("A transactional id that is not used for this long is forgotten."),
    int("transaction.state.log.num.partitions").default("50").at_least(1).doc("Partitions of the topic of transactions."),
    short("transaction.state.log.replication.factor").default("3").at_least(1).doc("Replicas of the topic of transactions."),
    int("transaction.state.log.min.isr").default("2").at_least(1).doc("In-sync replicas that a write to the topic of transactions needs."),
    int("transaction.state.log.segment.bytes").default("104857600").at_least(1).doc("Segment size of the topic of transactions."),
    int("transaction.state.log.load.buffer.size").default("5242880").at_least(1).doc("Bytes read at a time when transactions are loaded."),
    int("transaction.abort.timed.out.transaction.cleanup.interval.ms")
        .default("10000")
        .at_least(1)
        .doc("How often transactions that took too long are looked for."),
    int("transaction.remove.expired.transaction.cleanup.interval.ms")
        .default("3600000")
        .at_least(1)
        .doc("How often expired transactional ids are looked for."),
    boolean("transaction.partition.verification.enable")
        .default("true")
        .cluster_wide()
        .doc("Whether a partition asks the coordinator before a transaction's first append."),
    boolean("transaction.two.phase.commit.enable").default("false").doc("Whether transactions may take part in an outer commit."),
    int("add.partitions.to.txn.retry.backoff.ms").default("20").at_least(1).doc("Wait before a partition is added to a transaction again."),
    int("add.partitions.to.txn.retry.backoff.max.ms")
        .default("100")
        .at_least(0)
        .doc("Longest time that adding a partition to a transaction is tried."),
];
