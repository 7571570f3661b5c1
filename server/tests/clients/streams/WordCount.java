import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * Counts the words of `lines` into `counts`, in all and by the day, as one instance of the application.
 * Says `state STATE` and `restored STORE PARTITION RECORDS`.
 */
public class WordCount {
    public static void main(String[] arguments) {
        Properties settings = new Properties();
        for (String setting : arguments) {
            settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
        }
        var builder = new StreamsBuilder();
        KGroupedStream<String, String> words = builder.stream("lines", Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> List.of(line.split(" ")))
            .filter((key, word) -> !word.isEmpty())
            .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()));
        words.count(Materialized.as("totals")).toStream().mapValues(String::valueOf)
            .to("counts", Produced.with(Serdes.String(), Serdes.String()));
        words.windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofDays(1))).count(Materialized.as("daily"));

        var streams = new KafkaStreams(builder.build(), settings);
        streams.setStateListener((state, before) -> say("state " + state));
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setGlobalStateRestoreListener(new Restores());
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    static class Restores implements StateRestoreListener {
        @Override
        public void onRestoreStart(TopicPartition partition, String store, long start, long end) {
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long end, long records) {
        }

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long records) {
            say("restored " + store + " " + partition.partition() + " " + records);
        }
    }

    static synchronized void say(String what) {
        System.out.println(what);
        System.out.flush();
    }
}
