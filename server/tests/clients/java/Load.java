import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own client behind lines of text, for a load that goes on while nodes die: `produce TOPIC` takes `PARTITION TAB VALUE` and says
 * `acknowledged PARTITION OFFSET` of each, `consume TOPIC PARTITIONS` says `PARTITION TAB OFFSET TAB VALUE` from the beginning on, without end.
 */
public class Load {
    static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.ISO_8859_1);

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        for (String setting : System.getenv("CLIENT").split(",")) {
            settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
        }
        if (arguments[0].equals("produce")) {
            produce(settings, arguments[1]);
        } else {
            consume(settings, arguments[1], Integer.parseInt(arguments[2]));
        }
    }

    static void produce(Properties settings, String topic) throws Exception {
        settings.put("acks", "all");
        settings.put("delivery.timeout.ms", "300000");
        settings.put("max.block.ms", "300000");
        settings.put("buffer.memory", "268435456");
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.ISO_8859_1));
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String line; (line = in.readLine()) != null; ) {
                int partition = Integer.parseInt(line.substring(0, line.indexOf('\t')));
                byte[] value = line.substring(line.indexOf('\t') + 1).getBytes(StandardCharsets.ISO_8859_1);
                producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, failure) ->
                    say(failure == null ? "acknowledged " + partition + " " + metadata.offset() : "refused " + partition + " " + failure));
            }
        }
    }

    static void consume(Properties settings, String topic, int partitions) {
        settings.put("auto.offset.reset", "none");
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> all = IntStream.range(0, partitions).mapToObj(partition -> new TopicPartition(topic, partition)).toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            while (true) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    OUT.println(record.partition() + "\t" + record.offset() + "\t" + new String(record.value(), StandardCharsets.ISO_8859_1));
                }
                OUT.flush();
            }
        }
    }

    static synchronized void say(String what) {
        OUT.println(what);
        OUT.flush();
    }
}
