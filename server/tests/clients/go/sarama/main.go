// Sarama, at the version of Kafka that it takes by default and at the newest that it knows: the version decides alone
// which version of each request it sends.
package main

import (
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"gracchus/clients/checks"

	"github.com/IBM/sarama"
)

const timeout = 30 * time.Second

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

type client struct {
	sarama.Client
	admin sarama.ClusterAdmin
}

func main() {
	checks.Run(dial(sarama.DefaultVersion), dial(sarama.MaxVersion))
}

func dial(version sarama.KafkaVersion) client {
	config := sarama.NewConfig()
	config.Version = version
	config.Metadata.AllowAutoTopicCreation = false
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	config.Producer.Flush.MaxMessages = 500
	config.Consumer.MaxWaitTime = 50 * time.Millisecond // for which closing a consumer waits
	config.Net.MaxOpenRequests = 1 // which Sarama asks of an idempotent producer
	connected, err := sarama.NewClient([]string{os.Getenv("BOOTSTRAP")}, config)
	if err != nil {
		panic(err)
	}
	admin, err := sarama.NewClusterAdminFromClient(connected)
	if err != nil {
		panic(err)
	}
	return client{connected, admin}
}

func refused(err error) error {
	var broker sarama.KError
	if errors.As(err, &broker) && broker != sarama.ErrNoError {
		return checks.Refused(broker)
	}
	return err
}

func (c client) Name() string   { return "sarama-" + c.Config().Version.String() }
func (client) Codecs() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func (c client) Produce(topic, codec string, partitions [][]checks.Record) ([][]int64, error) {
	config := *c.Config()
	config.Producer.Compression = codecs[codec]
	producer, err := sarama.NewSyncProducer([]string{os.Getenv("BOOTSTRAP")}, &config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for p, records := range partitions {
		for _, record := range records {
			messages = append(messages, outgoing(topic, p, record))
		}
	}
	err = producer.SendMessages(messages)
	if failed := (sarama.ProducerErrors)(nil); errors.As(err, &failed) {
		err = failed[0].Err
	}
	acknowledged := make([][]int64, len(partitions))
	for _, message := range messages {
		acknowledged[message.Partition] = append(acknowledged[message.Partition], message.Offset)
	}
	return acknowledged, refused(err)
}

func outgoing(topic string, partition int, record checks.Record) *sarama.ProducerMessage {
	message := &sarama.ProducerMessage{Topic: topic, Partition: int32(partition), Timestamp: time.UnixMilli(record.TimestampMs)}
	if record.Key != nil {
		message.Key = sarama.ByteEncoder(record.Key)
	}
	if record.Value != nil {
		message.Value = sarama.ByteEncoder(record.Value)
	}
	for _, header := range record.Headers {
		message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
	}
	return message
}

func incoming(message *sarama.ConsumerMessage) checks.Numbered {
	var headers []checks.Header
	for _, header := range message.Headers {
		headers = append(headers, checks.Header{Name: string(header.Key), Value: header.Value})
	}
	return checks.Numbered{Offset: message.Offset, Record: checks.Record{
		Key: message.Key, Value: message.Value, Headers: headers, TimestampMs: message.Timestamp.UnixMilli(),
	}}
}

// Goes to an offset, calls then, and takes what comes.
func (c client) consume(topic string, partition int32, offset int64, count int, then func()) ([]checks.Numbered, error) {
	consumer, err := sarama.NewConsumerFromClient(c.Client)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	messages, err := consumer.ConsumePartition(topic, partition, offset)
	if err != nil {
		return nil, refused(err)
	}
	defer messages.Close()
	then()
	var got []checks.Numbered
	late := time.After(timeout)
	for len(got) < count {
		select {
		case message := <-messages.Messages():
			got = append(got, incoming(message))
		case <-late:
			return got, errors.New("no more records came")
		}
	}
	return got, nil
}

func (c client) Read(topic string, partition int32, offset int64, count int) ([]checks.Numbered, error) {
	if offset == checks.Beginning {
		offset = sarama.OffsetOldest
	}
	return c.consume(topic, partition, offset, count, func() {})
}

func (c client) ReadNext(topic string, partition int32, produce func()) (checks.Numbered, error) {
	got, err := c.consume(topic, partition, sarama.OffsetNewest, 1, produce)
	if err != nil {
		return checks.Numbered{}, err
	}
	return got[0], nil
}

func (c client) OffsetAt(topic string, partition int32, timestampMs int64) (int64, error) {
	return c.GetOffset(topic, partition, timestampMs)
}

func (c client) Offsets(topic string, partition int32) (earliest, latest int64, err error) {
	list := func(at int64) int64 {
		listed, failed := c.admin.ListOffsets(map[string]map[int32]int64{topic: {partition: at}}, nil)
		if failed != nil {
			err = refused(failed)
			return -1
		}
		return listed[topic][partition].Offset
	}
	return list(sarama.OffsetOldest), list(sarama.OffsetNewest), err
}

func (c client) DescribeCluster() (int, int32, error) {
	brokers, controller, err := c.admin.DescribeCluster()
	return len(brokers), controller, err
}

func pointers(values map[string]string) map[string]*string {
	pointed := map[string]*string{}
	for name, value := range values {
		pointed[name] = &value
	}
	return pointed
}

func (c client) CreateTopic(topic string, partitions int32, replicas int16, configs map[string]string) error {
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replicas, ConfigEntries: pointers(configs)}
	return refused(c.admin.CreateTopic(topic, detail, false))
}

func (c client) CreatePartitions(topic string, total int32) error {
	return refused(c.admin.CreatePartitions(topic, total, nil, false))
}

func (c client) ListTopics() ([]string, error) {
	topics, err := c.admin.ListTopics()
	return slices.Collect(maps.Keys(topics)), refused(err)
}

func (c client) DescribeTopic(topic string) (int, error) {
	topics, err := c.admin.DescribeTopics([]string{topic})
	if err != nil {
		return 0, err
	}
	if topics[0].Err != sarama.ErrNoError {
		return 0, refused(topics[0].Err)
	}
	led := 0
	for _, partition := range topics[0].Partitions {
		if partition.Leader >= 0 {
			led++
		}
	}
	return led, nil
}

func (c client) DescribeConfigs(topic string) (map[string]checks.Config, error) {
	entries, err := c.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	configs := map[string]checks.Config{}
	for _, entry := range entries {
		configs[entry.Name] = checks.Config{Value: entry.Value, Default: entry.Source == sarama.SourceDefault}
	}
	return configs, refused(err)
}

func (c client) IncrementalAlterConfigs(topic string, configs map[string]string) error {
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	for name, value := range configs {
		if value == "" {
			entries[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
		} else {
			entries[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
		}
	}
	return refused(c.admin.IncrementalAlterConfig(sarama.TopicResource, topic, entries, false))
}

func (c client) AlterConfigs(topic string, configs map[string]string) error {
	return refused(c.admin.AlterConfig(sarama.TopicResource, topic, pointers(configs), false))
}

func (c client) DeleteRecords(topic string, partition int32, beforeOffset int64) error {
	return refused(c.admin.DeleteRecords(topic, map[int32]int64{partition: beforeOffset}))
}

func (c client) DeleteTopic(topic string) error {
	return refused(c.admin.DeleteTopic(topic))
}
