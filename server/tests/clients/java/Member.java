import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Members by Kafka's own client, each in a thread of its own. What they are told and what they say is as in python/members.py. */
public class Member extends Thread implements ConsumerRebalanceListener {
    static final String TOPIC = System.getenv("TOPIC");
    static final PrintStream OUT = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false);
    static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    final KafkaConsumer<byte[], byte[]> consumer;
    final Map<TopicPartition, OffsetAndMetadata> uncommitted = new HashMap<>();
    volatile boolean leaving;

    public static void main(String[] arguments) throws Exception {
        Map<String, Member> members = new HashMap<>();
        var in = new BufferedReader(new InputStreamReader(System.in));
        say("ready\t\n");
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.split(" ");
            if (words[0].equals("join")) {
                members.put(words[1], new Member(words[1], words.length > 2 ? words[2] : null));
                members.get(words[1]).start();
            } else {
                members.remove(words[1]).leaving = true;
            }
        }
        Runtime.getRuntime().halt(0); // without leaving
    }

    Member(String name, String instance) {
        super(name);
        setDaemon(true);
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        settings.put("group.id", System.getenv("GROUP"));
        settings.put("client.id", name);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("reconnect.backoff.max.ms", "500");
        if (instance != null) {
            settings.put("group.instance.id", instance);
        }
        String protocol = System.getenv("PROTOCOL");
        if (protocol.equals("consumer")) {
            settings.put("group.protocol", "consumer");
        } else {
            settings.put("partition.assignment.strategy", ASSIGNORS.get(protocol));
            settings.put("session.timeout.ms", System.getenv("SESSION_MS"));
            settings.put("heartbeat.interval.ms", System.getenv("HEARTBEAT_MS"));
        }
        consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    @Override public void run() {
        try {
            consumer.subscribe(List.of(TOPIC), this);
            while (!leaving) {
                var said = new StringBuilder();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    said.append("record\t" + getName() + "\t" + record.partition() + "\t" + record.offset() + "\n");
                    uncommitted.put(new TopicPartition(TOPIC, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                say(said.toString());
                if (!uncommitted.isEmpty()) {
                    commit();
                }
            }
            consumer.close();
            say("left\t" + getName() + "\n");
        } catch (Throwable failure) {
            say("failed\t" + getName() + "\t" + failure + "\n");
        }
    }

    void commit() {
        var offsets = Map.copyOf(uncommitted);
        try {
            consumer.commitSync(offsets);
        } catch (CommitFailedException | RebalanceInProgressException | RetriableException failure) {
            return; // a rebalance, or a coordinator that is away: it is committed or read again later
        }
        var said = new StringBuilder();
        offsets.forEach((partition, offset) -> {
            said.append("committed\t" + getName() + "\t" + partition.partition() + "\t" + offset.offset() + "\n");
            uncommitted.remove(partition, offset);
        });
        say(said.toString());
    }

    @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        sayPartitions("assigned", partitions);
    }

    @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        partitions.forEach(uncommitted::remove);
        sayPartitions("revoked", partitions);
    }

    void sayPartitions(String what, Collection<TopicPartition> partitions) {
        if (!partitions.isEmpty()) {
            String numbers = partitions.stream().map(each -> "" + each.partition()).collect(Collectors.joining(","));
            say(what + "\t" + getName() + "\t" + numbers + "\n");
        }
    }

    static synchronized void say(String lines) {
        OUT.print(lines);
        OUT.flush();
    }
}
