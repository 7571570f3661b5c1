//! Connections, requests and quotas of clients.

use super::Definition;
use super::build::{class, int, list, long, string};

pub(super) const NETWORK: &[Definition] = &[
    int("max.connections").default("2147483647").at_least(0).cluster_wide().kept().doc("Connections at one time; one more is closed at once."),
    int("max.connections.per.ip").default("2147483647").at_least(0).cluster_wide().doc("Connections of one address at one time."),
    string("max.connections.per.ip.overrides").default("").cluster_wide().doc("Other bounds for some addresses, ADDRESS:COUNT each."),
    int("max.connection.creation.rate").default("2147483647").at_least(0).cluster_wide().doc("New connections a second."),
    long("connections.max.idle.ms").default("600000").kept().doc("A connection that is silent for this long is closed."),
    long("connections.max.reauth.ms").default("0").doc("How long an authentication lasts."),
    int("connection.failed.authentication.delay.ms")
        .default("100")
        .at_least(0)
        .doc("Wait before a connection whose authentication failed is closed."),
    int("socket.request.max.bytes").default("104857600").at_least(1).kept().doc("A request that says it is larger ends its connection."),
    int("socket.send.buffer.bytes").default("102400").doc("Size of a socket's send buffer; -1 leaves it to the system."),
    int("socket.receive.buffer.bytes").default("102400").doc("Size of a socket's receive buffer; -1 leaves it to the system."),
    int("socket.listen.backlog.size").default("50").at_least(1).doc("Connections that wait to be accepted."),
    long("socket.connection.setup.timeout.ms").default("10000").doc("How long a connection to another node may take to open, at first."),
    long("socket.connection.setup.timeout.max.ms")
        .default("30000")
        .doc("How long a connection to another node may take to open after failures."),
    int("queued.max.requests").default("500").at_least(1).doc("Requests that wait for a thread."),
    // Kafka sets no bound; here memory is bounded unless told otherwise.
    long("queued.max.request.bytes")
        .default("33554432")
        .kept()
        .doc("Bytes of requests held in memory over all connections; reading waits while there are more."),
    int("num.network.threads").default("3").at_least(1).cluster_wide().doc("Threads that read and write sockets."),
    int("num.io.threads").default("8").at_least(1).cluster_wide().doc("Threads that serve requests."),
    int("request.timeout.ms").default("30000").doc("How long a request between nodes may take."),
    int("fetch.max.bytes").default("57671680").at_least(1024).kept().doc("Bytes that one fetch returns at most."),
    int("fetch.purgatory.purge.interval.requests").default("1000").doc("Finished fetches that gather before the waiting list is cleaned."),
    int("producer.purgatory.purge.interval.requests").default("1000").doc("Finished produces that gather before the waiting list is cleaned."),
    int("delete.records.purgatory.purge.interval.requests")
        .default("1")
        .doc("Finished deletions that gather before the waiting list is cleaned."),
    int("share.fetch.purgatory.purge.interval.requests")
        .default("1000")
        .doc("Finished share fetches that gather before the waiting list is cleaned."),
    int("max.incremental.fetch.session.cache.slots").default("1000").at_least(0).doc("Incremental fetch sessions kept at one time."),
    int("max.request.partition.size.limit").default("2000").at_least(1).kept().doc("Partitions in one answer of a paged listing at most."),
    int("quota.window.num").default("11").at_least(1).doc("Samples kept for client quotas."),
    int("quota.window.size.seconds").default("1").at_least(1).doc("Length of a sample for client quotas."),
    int("controller.quota.window.num").default("11").at_least(1).doc("Samples kept for quotas of controller changes."),
    int("controller.quota.window.size.seconds").default("1").at_least(1).doc("Length of a sample for quotas of controller changes."),
    class("client.quota.callback.class").doc("A class that decides client quotas."),
    list("metric.reporters").default("org.apache.kafka.common.metrics.JmxReporter").cluster_wide().doc("Classes that metrics are reported to."),
    list("kafka.metrics.reporters").default("").doc("Classes of the older metrics library that metrics are reported to."),
    int("kafka.metrics.polling.interval.secs").default("10").at_least(1).doc("How often reporters of the older metrics library ask."),
    int("metrics.num.samples").default("2").at_least(1).doc("Samples kept for a metric."),
    string("metrics.recording.level").default("INFO").doc("How detailed metrics are."),
    long("metrics.sample.window.ms").default("30000").at_least(1).doc("Length of a metric's sample."),
    int("telemetry.max.bytes").default("1048576").at_least(1).doc("Bytes of client metrics in one push at most."),
];
