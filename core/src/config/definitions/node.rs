//! Who the node is, where it listens, and the metadata quorum.

use super::Definition;
use super::build::{boolean, class, int, list, long, string};

pub(super) const NODE: &[Definition] = &[
    int("node.id").at_least(0).kept().doc("This node's number, unique in the cluster."),
    int("broker.id").default("-1").kept().doc("An older name of node.id."),
    list("process.roles").each_of(&["broker", "controller"]).kept().doc("What the node is: broker, controller or both."),
    string("broker.rack").kept().doc("The rack that the node stands in; replicas are spread over racks."),
    list("listeners").default("PLAINTEXT://:9092").per_broker().kept().doc("Where the node listens, NAME://HOST:PORT each."),
    list("advertised.listeners").kept().doc("What clients are told for each listener, if not what was bound."),
    string("listener.security.protocol.map")
        .default("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .per_broker()
        .kept()
        .doc("The security protocol of each listener, NAME:PROTOCOL each; only PLAINTEXT is kept."),
    string("inter.broker.listener.name").kept().doc("The listener by which other nodes reach this one."),
    list("controller.listener.names").kept().doc("The listeners that serve the metadata quorum."),
    string("security.inter.broker.protocol")
        .default("PLAINTEXT")
        .one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
        .protects()
        .doc("The protocol between nodes, where no listener is named for it."),
    list("early.start.listeners").doc("Listeners that open before the authorizer is ready."),
    list("controller.quorum.voters").default("").kept().doc("The voters of the metadata quorum, ID@HOST:PORT each."),
    list("controller.quorum.bootstrap.servers").default("").kept().doc("Where the metadata quorum can be found, HOST:PORT each."),
    boolean("controller.quorum.auto.join.enable").default("false").doc("Whether a controller joins the voters by itself."),
    int("controller.quorum.election.timeout.ms")
        .default("1000")
        .at_least(0)
        .doc("A voter that hears of no leader for this long starts an election."),
    int("controller.quorum.election.backoff.max.ms")
        .default("1000")
        .at_least(0)
        .doc("Longest wait before an election that failed is tried again."),
    int("controller.quorum.fetch.timeout.ms")
        .default("2000")
        .at_least(0)
        .doc("A voter whose fetches fail for this long becomes a candidate, and a leader that no majority fetches from resigns."),
    int("controller.quorum.fetch.max.bytes").default("1048576").at_least(1).doc("Bytes of metadata records in one fetch at most."),
    int("controller.quorum.fetch.snapshot.max.bytes")
        .default("1048576")
        .at_least(1)
        .kept()
        .doc("Bytes of a metadata snapshot in one fetch at most."),
    int("controller.quorum.request.timeout.ms").default("2000").at_least(0).doc("How long a quorum request may take."),
    int("controller.quorum.retry.backoff.ms").default("20").at_least(0).doc("Wait before a quorum request is sent again."),
    int("controller.quorum.append.linger.ms").default("25").at_least(0).doc("How long metadata records gather before they are written."),
    long("controller.performance.sample.period.ms")
        .default("60000")
        .at_least(100)
        .internal()
        .doc("How often the controller's slow events are summed up in the log."),
    long("controller.performance.always.log.threshold.ms")
        .default("2000")
        .at_least(0)
        .internal()
        .doc("Controller events slower than this are always logged."),
    int("controller.socket.timeout.ms").default("30000").doc("Socket timeout between controller and brokers."),
    int("broker.heartbeat.interval.ms").default("2000").doc("How often a broker tells the controller that it lives."),
    int("broker.session.timeout.ms").default("9000").doc("A broker that is silent for this long is fenced."),
    int("initial.broker.registration.timeout.ms").default("60000").doc("A broker that can't register for this long gives up."),
    boolean("controlled.shutdown.enable").default("true").doc("Whether a node hands its leaderships over before it stops."),
    long("server.max.startup.time.ms")
        .default("9223372036854775807")
        .at_least(0)
        .internal()
        .doc("A node that is not ready after this long gives up."),
    string("metadata.log.dir").kept().doc("The folder of the metadata log; it must be the data folder."),
    int("metadata.log.segment.bytes")
        .default("1073741824")
        .at_least(8_388_608)
        .kept()
        .doc("A segment of the metadata log is closed before it would grow past this."),
    long("metadata.log.segment.ms").default("604800000").kept().doc("A segment of the metadata log is closed when it is older than this."),
    long("metadata.log.max.record.bytes.between.snapshots")
        .default("20971520")
        .at_least(1)
        .kept()
        .doc("Bytes of metadata records after which a snapshot is made."),
    long("metadata.log.max.snapshot.interval.ms")
        .default("3600000")
        .at_least(0)
        .kept()
        .doc("Longest time between two snapshots of the metadata, if anything was committed; 0 for no such limit."),
    int("metadata.max.idle.interval.ms")
        .default("500")
        .at_least(0)
        .doc("How often an idle leader of the metadata log writes a record that does nothing."),
    long("metadata.max.retention.bytes").default("104857600").doc("Older metadata snapshots and segments go when they take more than this."),
    long("metadata.max.retention.ms").default("604800000").doc("Metadata snapshots and segments older than this go."),
    int("internal.metadata.log.segment.bytes").internal().kept().doc("Overrides metadata.log.segment.bytes, for tests."),
    int("internal.metadata.max.batch.size.in.bytes").default("8388608").internal().doc("Largest batch of metadata records, for tests."),
    long("internal.metadata.delete.delay.millis").default("60000").internal().doc("How long deleted metadata files linger, for tests."),
    boolean("unstable.api.versions.enable").default("false").internal().kept().doc("Whether versions of APIs that are not final are offered."),
    boolean("unstable.feature.versions.enable").default("false").internal().doc("Whether feature levels that are not final are offered."),
    class("alter.config.policy.class.name").protects().doc("A class that judges changes of settings."),
    class("create.topic.policy.class.name").protects().doc("A class that judges new topics."),
    list("config.providers").default("").cluster_wide().doc("Where variables in settings are looked up."),
    int("background.threads").default("10").at_least(1).cluster_wide().doc("Threads for work in the background."),
    boolean("auto.create.topics.enable").default("true").kept().doc("Whether a topic that a client asks for is created."),
    boolean("delete.topic.enable").default("true").kept().doc("Whether topics may be deleted."),
    int("num.partitions").default("1").at_least(1).kept().doc("Partitions of a new topic that does not say."),
    int("default.replication.factor").default("1").kept().doc("Replicas of a new topic's partitions, where it does not say."),
    boolean("auto.leader.rebalance.enable").default("true").doc("Whether leadership goes back to preferred replicas by itself."),
    long("leader.imbalance.check.interval.seconds").default("300").at_least(1).doc("How often the balance of leaders is looked at."),
    long("unclean.leader.election.interval.ms")
        .default("300000")
        .at_least(1)
        .internal()
        .doc("How often partitions that wait for an unclean election are looked at."),
    list("log.dir").default("/tmp/kafka-logs").kept().doc("The data folder; log.dirs comes first."),
    list("log.dirs").kept().doc("The data folder. Several are refused until they are kept."),
    long("log.dir.failure.timeout.ms")
        .default("30000")
        .at_least(1)
        .doc("A node that can't tell the controller of a failed folder for this long stops."),
    list("cordoned.log.dirs").default("").per_broker().doc("Data folders that get no new partitions."),
];
