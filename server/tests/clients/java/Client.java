import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own client: the producer as it is by default (idempotent), the consumer with assign(), the Admin. */
public class Client {
    static final int PARTITIONS = 3;
    /** Long past, so that no record can take its timestamp from the clock unseen. */
    static final long START_MS = 1_700_000_000_000L;
    static final long STEP_MS = 10;
    static final int NO_VALUE = -1;
    /** Sizes of the values, in turn; NO_VALUE deletes on a compacted topic. Values of 1 and 33 bytes go without a key. */
    static final int[] SIZES = {1, 12, 120, 900, 70, 4_000, NO_VALUE, 300, 0, 1_500, 33, 250, 40_000};
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    static final Duration TIMEOUT = Duration.ofSeconds(30);

    final Admin admin = Admin.create(settings());
    final Consumer<byte[], byte[]> consumer = new KafkaConsumer<>(
        settings("auto.offset.reset", "none", "allow.auto.create.topics", "false"),
        new ByteArrayDeserializer(), new ByteArrayDeserializer());

    public static void main(String[] arguments) throws Exception {
        Client client = new Client();
        String topic = "java-" + System.getenv("RUN");
        client.checkAdmin(topic + "-admin");
        byte[] data = Files.readAllBytes(Path.of(System.getenv("INPUT")));
        int share = data.length / CODECS.length;
        for (int i = 0; i < CODECS.length; i++) {
            String name = topic + "-" + CODECS[i];
            client.checkRecords(name, CODECS[i], cut(name, Arrays.copyOfRange(data, i * share, (i + 1) * share)));
        }
        client.consumer.close();
        client.admin.close();
    }

    static Properties settings(String... more) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        for (int i = 0; i < more.length; i += 2) {
            settings.put(more[i], more[i + 1]);
        }
        return settings;
    }

    // --- what a check prints ----------------------------------------------------------------------------------

    static void check(String what, Object expected, Object got) {
        if (Objects.equals(expected, got)) {
            System.out.println("ok  " + what);
        } else {
            System.out.println("FAILED  " + what + ": expected " + brief(expected) + ", got " + brief(got));
        }
    }

    static String brief(Object value) {
        String text = String.valueOf(value);
        return text.length() <= 200 ? text : text.substring(0, 200) + "... (" + text.length() + " characters)";
    }

    /** A refusal counts by its class, which is what programs catch. */
    static Object outcome(Callable<?> call) {
        try {
            return call.call();
        } catch (ExecutionException e) {
            return e.getCause().getClass();
        } catch (Exception e) {
            return e.getClass();
        }
    }

    static void checkRefused(String what, Class<?> error, Callable<?> call) {
        check(what + " is " + error.getSimpleName(), error, outcome(call));
    }

    /** Metadata reaches a broker a moment after the controller has answered. */
    static void checkSoon(String what, Object expected, Callable<?> call) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        Object got = outcome(call);
        while (!Objects.equals(expected, got) && System.nanoTime() < deadline) {
            Thread.sleep(100);
            got = outcome(call);
        }
        check(what, expected, got);
    }

    // --- records ----------------------------------------------------------------------------------------------

    /** Cuts the data into records, dealt out to the partitions in turn. */
    static List<ProducerRecord<byte[], byte[]>> cut(String topic, byte[] data) {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0, at = 0; at < data.length; i++) {
            int size = SIZES[i % SIZES.length];
            byte[] key = size == 1 || size == 33 ? null : ("key " + i).getBytes();
            byte[] value = size == NO_VALUE ? null : Arrays.copyOfRange(data, at, Math.min(at + size, data.length));
            // The same name twice is legal, and a value may be empty, any bytes, or none.
            List<Header> headers = i % 3 == 0 ? List.of() : List.of(
                new RecordHeader("n", String.valueOf(i).getBytes()),
                new RecordHeader("n", new byte[0]),
                new RecordHeader("bytes", Arrays.copyOfRange(data, at, Math.min(at + 20, data.length))),
                new RecordHeader("none", (byte[]) null));
            records.add(new ProducerRecord<>(topic, i % PARTITIONS, START_MS + i * STEP_MS, key, value, headers));
            at += value == null ? 0 : value.length;
        }
        return records;
    }

    static List<Long> produce(String codec, List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        try (Producer<byte[], byte[]> producer = new KafkaProducer<>(
                settings("compression.type", codec, "linger.ms", "20"), new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = records.stream().map(producer::send).toList();
            List<Long> offsets = new ArrayList<>();
            for (Future<RecordMetadata> one : sent) {
                offsets.add(one.get().offset());
            }
            return offsets;
        }
    }

    List<ConsumerRecord<byte[], byte[]>> poll(int count) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        while (got.size() < count && System.nanoTime() < deadline) {
            consumer.poll(Duration.ofSeconds(1)).forEach(got::add);
        }
        return got.subList(0, Math.min(got.size(), count));
    }

    List<ConsumerRecord<byte[], byte[]>> read(TopicPartition where, long offset, int count) {
        consumer.assign(List.of(where));
        consumer.seek(where, offset);
        return poll(count);
    }

    List<ConsumerRecord<byte[], byte[]>> readFromBeginning(TopicPartition where, int count) {
        consumer.assign(List.of(where));
        consumer.seekToBeginning(List.of(where));
        return poll(count);
    }

    static void checkSame(
            String what, long offset, List<ProducerRecord<byte[], byte[]>> sent, List<ConsumerRecord<byte[], byte[]>> got) {
        for (int i = 0; i < Math.min(sent.size(), got.size()); i++) {
            if (!same(sent.get(i), got.get(i)) || got.get(i).offset() != offset + i) {
                check(what, "at offset " + (offset + i) + " " + sent.get(i), got.get(i));
                return;
            }
        }
        check(what, sent.size(), got.size());
    }

    static boolean same(ProducerRecord<byte[], byte[]> sent, ConsumerRecord<byte[], byte[]> got) {
        return Arrays.equals(sent.key(), got.key())
            && Arrays.equals(sent.value(), got.value())
            && sent.timestamp() == got.timestamp()
            && Arrays.equals(sent.headers().toArray(), got.headers().toArray());
    }

    void checkRecords(String topic, String codec, List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        create(topic, PARTITIONS, 1, Map.of("retention.ms", "-1"));
        checkSoon(codec + ": topic created", PARTITIONS, () -> countLed(describe(topic)));

        long[] next = new long[PARTITIONS];
        List<Long> offsets = records.stream().map(record -> next[record.partition()]++).toList();
        check(codec + ": " + records.size() + " records are acknowledged in order", offsets, produce(codec, records));
        List<List<ProducerRecord<byte[], byte[]>>> sent = new ArrayList<>();
        for (int p = 0; p < PARTITIONS; p++) {
            int partition = p;
            List<ProducerRecord<byte[], byte[]>> all = records.stream().filter(r -> r.partition() == partition).toList();
            sent.add(all);
            List<ConsumerRecord<byte[], byte[]>> got = readFromBeginning(new TopicPartition(topic, p), all.size());
            checkSame(codec + ": partition " + p + " from the beginning, " + all.size() + " records", 0, all, got);
        }

        TopicPartition where = new TopicPartition(topic, 1);
        List<ProducerRecord<byte[], byte[]>> all = sent.get(1);
        long bytes = all.stream().mapToLong(record -> record.value() == null ? 0 : record.value().length).sum();
        check(codec + ": the log is smaller than its values", !codec.equals("none"), bytesInLog(where) < bytes);
        int middle = all.size() / 2;
        List<ProducerRecord<byte[], byte[]>> following = all.subList(middle, middle + 50);
        checkSame(codec + ": from offset " + middle, middle, following, read(where, middle, 50));
        long wanted = following.get(0).timestamp();
        OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(where, wanted - STEP_MS / 2)).get(where);
        check(codec + ": the offset of a timestamp", List.of((long) middle, wanted), List.of(found.offset(), found.timestamp()));
        checkSame(codec + ": from a timestamp", middle, following, read(where, found.offset(), 50));
        long last = all.get(all.size() - 1).timestamp();
        check(codec + ": no offset past the last timestamp", null, consumer.offsetsForTimes(Map.of(where, last + 1)).get(where));
        check(codec + ": the offset of the greatest timestamp", List.of(all.size() - 1L, last), listed(where, OffsetSpec.maxTimestamp()));

        consumer.assign(List.of(where));
        consumer.seekToEnd(List.of(where));
        consumer.position(where); // or the end is looked up only with the first poll
        List<ProducerRecord<byte[], byte[]>> more =
            List.of(new ProducerRecord<>(topic, 1, START_MS, "last".getBytes(), "one more".getBytes()));
        produce(codec, more);
        checkSame(codec + ": from the end", all.size(), more, poll(1));
        admin.deleteTopics(List.of(topic)).all().get();
    }

    // --- admin ------------------------------------------------------------------------------------------------

    Object create(String topic, int partitions, int replicas, Map<String, String> configs) throws Exception {
        return admin.createTopics(List.of(new NewTopic(topic, partitions, (short) replicas).configs(configs))).all().get();
    }

    TopicDescription describe(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    static int countLed(TopicDescription topic) {
        return (int) topic.partitions().stream().filter(p -> p.leader() != null && p.isr().contains(p.leader())).count();
    }

    List<Long> listed(TopicPartition where, OffsetSpec spec) throws Exception {
        ListOffsetsResultInfo found = admin.listOffsets(Map.of(where, spec)).partitionResult(where).get();
        return List.of(found.offset(), found.timestamp());
    }

    long bytesInLog(TopicPartition where) throws Exception {
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        return admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values().stream()
            .mapToLong(log -> log.replicaInfos().containsKey(where) ? log.replicaInfos().get(where).size() : 0).sum();
    }

    Config configs(ConfigResource of) throws Exception {
        return admin.describeConfigs(List.of(of)).values().get(of).get();
    }

    Object config(ConfigResource of, String... names) throws Exception {
        Config all = configs(of);
        return Arrays.stream(names).map(all::get).map(e -> e.value() + " " + e.source()).toList();
    }

    Object alter(ConfigResource what, AlterConfigOp... operations) throws Exception {
        return admin.incrementalAlterConfigs(Map.of(what, List.of(operations))).all().get();
    }

    static AlterConfigOp operation(String name, String value, AlterConfigOp.OpType type) {
        return new AlterConfigOp(new ConfigEntry(name, value), type);
    }

    void checkAdmin(String topic) throws Exception {
        var cluster = admin.describeCluster();
        int node = cluster.nodes().get().iterator().next().id();
        check("describe cluster: a controller and a cluster id",
            List.of(true, true), List.of(cluster.controller().get() != null, !cluster.clusterId().get().isEmpty()));
        var features = admin.describeFeatures().featureMetadata().get();
        check("describe features: metadata.version is finalised", true, features.finalizedFeatures().containsKey("metadata.version"));

        var created = admin.createTopics(List.of(
            new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "-1", "max.message.bytes", "65536"))));
        Uuid id = created.topicId(topic).get();
        check("create topic: its id, partitions, replicas and configs", List.of(true, 2, 1, "65536"), List.of(
            !id.equals(Uuid.ZERO_UUID), created.numPartitions(topic).get(), created.replicationFactor(topic).get(),
            created.config(topic).get().get("max.message.bytes").value()));
        checkSoon("describe topics: by name", 2, () -> countLed(describe(topic)));
        checkSoon("describe topics: by id", topic, () ->
            admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id).name());
        check("list topics: the topic is there, with its id", id, admin.listTopics().namesToListings().get().get(topic).topicId());

        String other = topic + "-new";
        checkRefused("creating a topic that exists", TopicExistsException.class, () -> create(topic, 2, 1, Map.of()));
        checkRefused("creating a topic without partitions", InvalidPartitionsException.class, () -> create(other, 0, 1, Map.of()));
        checkRefused("creating a topic with more replicas than brokers", InvalidReplicationFactorException.class, () -> create(other, 1, 99, Map.of()));
        checkRefused("creating a topic with an unknown config", InvalidConfigurationException.class, () -> create(other, 1, 1, Map.of("no.such.config", "1")));
        checkRefused("creating a topic with a bad config value", InvalidConfigurationException.class, () -> create(other, 1, 1, Map.of("retention.ms", "soon")));
        checkRefused("creating a topic with a slash", InvalidTopicException.class, () -> create(topic + "/new", 1, 1, Map.of()));
        checkRefused("describing an unknown topic", UnknownTopicOrPartitionException.class, () -> describe(other));
        checkRefused("describing an unknown topic id", UnknownTopicIdException.class, () ->
            admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds().get());

        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
        checkSoon("create partitions: four", 4, () -> countLed(describe(topic)));
        checkRefused("fewer partitions", InvalidPartitionsException.class, () ->
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all().get());
        checkRefused("partitions of an unknown topic", UnknownTopicOrPartitionException.class, () ->
            admin.createPartitions(Map.of(other, NewPartitions.increaseTo(4))).all().get());

        checkConfigs(new ConfigResource(ConfigResource.Type.TOPIC, topic), new ConfigResource(ConfigResource.Type.BROKER, "" + node));
        checkDeleteRecords(topic);

        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        checkSoon("delete topics, by id: it is gone", false, () -> admin.listTopics().names().get().contains(topic));
        checkRefused("deleting an unknown topic", UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(topic)).all().get());
        checkRefused("deleting an unknown topic id", UnknownTopicIdException.class, () ->
            admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
    }

    void checkConfigs(ConfigResource topic, ConfigResource broker) throws Exception {
        String set = "65536 DYNAMIC_TOPIC_CONFIG";
        checkSoon("describe configs: what is set, and defaults", List.of(set, "delete DEFAULT_CONFIG"), () -> config(topic, "max.message.bytes", "cleanup.policy"));
        check("describe configs: over 20 of a topic and of a broker",
            List.of(true, true), List.of(configs(topic).entries().size() > 20, configs(broker).entries().size() > 20));
        checkRefused("describing the configs of an unknown topic", UnknownTopicOrPartitionException.class, () ->
            configs(new ConfigResource(ConfigResource.Type.TOPIC, topic.name() + "-new")));

        alter(topic, operation("cleanup.policy", "compact", AlterConfigOp.OpType.APPEND), operation("retention.ms", null, AlterConfigOp.OpType.DELETE));
        checkSoon("incremental alter configs: appended, deleted, kept",
            List.of("delete,compact DYNAMIC_TOPIC_CONFIG", "604800000 DEFAULT_CONFIG", set),
            () -> config(topic, "cleanup.policy", "retention.ms", "max.message.bytes"));
        alter(topic, operation("cleanup.policy", "compact", AlterConfigOp.OpType.SUBTRACT), operation("max.message.bytes", "70000", AlterConfigOp.OpType.SET));
        checkSoon("incremental alter configs: subtracted, set",
            List.of("delete DYNAMIC_TOPIC_CONFIG", "70000 DYNAMIC_TOPIC_CONFIG"), () -> config(topic, "cleanup.policy", "max.message.bytes"));
        checkRefused("altering a config to a bad value", InvalidConfigurationException.class, () ->
            alter(topic, operation("max.message.bytes", "-7", AlterConfigOp.OpType.SET)));
        checkRefused("altering an unknown config", InvalidConfigurationException.class, () ->
            alter(topic, operation("no.such.config", "1", AlterConfigOp.OpType.SET)));
        checkSoon("list config resources: the topic", true, () ->
            admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions())
                .all().get().contains(topic));
    }

    void checkDeleteRecords(String topic) throws Exception {
        TopicPartition where = new TopicPartition(topic, 0);
        List<ProducerRecord<byte[], byte[]>> records = LongStream.range(0, 10)
            .mapToObj(i -> new ProducerRecord<>(topic, 0, START_MS + i, "key".getBytes(), ("value " + i).getBytes())).toList();
        // Their timestamps are older than the default of retention.ms, which the configs above went back to.
        alter(new ConfigResource(ConfigResource.Type.TOPIC, topic), operation("retention.ms", "-1", AlterConfigOp.OpType.SET));
        produce("none", records);
        byte[] large = new byte[100_000];
        new Random(1).nextBytes(large);
        checkRefused("a record that is too large", RecordTooLargeException.class, () ->
            produce("none", List.of(new ProducerRecord<>(topic, 0, START_MS, null, large))));

        check("list offsets: earliest, latest", List.of(0L, 10L),
            List.of(listed(where, OffsetSpec.earliest()).get(0), listed(where, OffsetSpec.latest()).get(0)));
        check("list offsets: of a timestamp", List.of(3L, START_MS + 3), listed(where, OffsetSpec.forTimestamp(START_MS + 3)));
        check("list offsets: of the greatest timestamp", List.of(9L, START_MS + 9), listed(where, OffsetSpec.maxTimestamp()));
        check("list offsets: none for a later timestamp", List.of(-1L, -1L), listed(where, OffsetSpec.forTimestamp(START_MS + 10)));
        check("describe log dirs: the partition has bytes", true, bytesInLog(where) > 0);

        var deleted = admin.deleteRecords(Map.of(where, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(where).get();
        check("delete records: the low watermark", 4L, deleted.lowWatermark());
        check("delete records: the earliest offset", 4L, listed(where, OffsetSpec.earliest()).get(0));
        checkSame("delete records: from the beginning", 4, records.subList(4, 10), readFromBeginning(where, 6));
        checkRefused("reading what was deleted", OffsetOutOfRangeException.class, () -> read(where, 0, 1));
        checkRefused("deleting past the end", org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () ->
            admin.deleteRecords(Map.of(where, RecordsToDelete.beforeOffset(11))).all().get());
    }
}
