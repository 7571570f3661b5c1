// franz-go, which takes the newest version that the broker offers and compresses with codecs of its own.
package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"gracchus/clients/checks"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const timeout = 30 * time.Second

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

type franz struct {
	context.Context
	admin *kadm.Client
}

func main() {
	checks.Run(franz{context.Background(), kadm.NewClient(dial())})
}

func dial(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(os.Getenv("BOOTSTRAP")))...)
	if err != nil {
		panic(err)
	}
	return client
}

func refused(err error) error {
	if broker := (*kerr.Error)(nil); errors.As(err, &broker) {
		return checks.Refused(broker.Code)
	}
	return err
}

func (franz) Name() string     { return "franz_go" }
func (franz) Codecs() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func (f franz) Produce(topic, codec string, partitions [][]checks.Record) ([][]int64, error) {
	client := dial(
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(20*time.Millisecond))
	defer client.Close()
	acknowledged := make([][]int64, len(partitions))
	var mutex sync.Mutex
	var failed error
	for p, records := range partitions {
		for _, record := range records {
			client.Produce(f, outgoing(topic, p, record), func(sent *kgo.Record, err error) {
				mutex.Lock()
				defer mutex.Unlock()
				if err != nil {
					failed = err
				}
				acknowledged[sent.Partition] = append(acknowledged[sent.Partition], sent.Offset)
			})
		}
	}
	if err := client.Flush(f); err != nil {
		return nil, err
	}
	return acknowledged, refused(failed)
}

func outgoing(topic string, partition int, record checks.Record) *kgo.Record {
	var headers []kgo.RecordHeader
	for _, header := range record.Headers {
		headers = append(headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
	}
	return &kgo.Record{
		Topic: topic, Partition: int32(partition), Key: record.Key, Value: record.Value, Headers: headers,
		Timestamp: time.UnixMilli(record.TimestampMs),
	}
}

func incoming(record *kgo.Record) checks.Numbered {
	var headers []checks.Header
	for _, header := range record.Headers {
		headers = append(headers, checks.Header{Name: header.Key, Value: header.Value})
	}
	return checks.Numbered{Offset: record.Offset, Record: checks.Record{
		Key: record.Key, Value: record.Value, Headers: headers, TimestampMs: record.Timestamp.UnixMilli(),
	}}
}

func consumer(topic string, partition int32, offset kgo.Offset, options ...kgo.Opt) *kgo.Client {
	return dial(append(options,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: offset}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
}

func (f franz) poll(client *kgo.Client, count int) ([]checks.Numbered, error) {
	deadline, cancel := context.WithTimeout(f, timeout)
	defer cancel()
	var got []checks.Numbered
	for len(got) < count {
		fetches := client.PollRecords(deadline, count-len(got))
		if err := fetches.Err(); err != nil {
			return got, refused(err)
		}
		fetches.EachRecord(func(record *kgo.Record) { got = append(got, incoming(record)) })
	}
	return got, nil
}

func (f franz) Read(topic string, partition int32, offset int64, count int) ([]checks.Numbered, error) {
	start := kgo.NewOffset().At(offset)
	if offset == checks.Beginning {
		start = kgo.NewOffset().AtStart()
	}
	client := consumer(topic, partition, start)
	defer client.Close()
	return f.poll(client, count)
}

// fetching is told of each write to a broker, and closes at the first Fetch: by then the position is settled.
type fetching struct {
	once sync.Once
	done chan struct{}
}

func (f *fetching) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.Fetch) {
		f.once.Do(func() { close(f.done) })
	}
}

var _ kgo.HookBrokerWrite = (*fetching)(nil)

func (f franz) ReadNext(topic string, partition int32, produce func()) (checks.Numbered, error) {
	settled := &fetching{done: make(chan struct{})}
	client := consumer(topic, partition, kgo.NewOffset().AtEnd(), kgo.WithHooks(settled))
	defer client.Close()
	<-settled.done
	produce()
	got, err := f.poll(client, 1)
	if err != nil {
		return checks.Numbered{}, err
	}
	return got[0], nil
}

func (f franz) OffsetAt(topic string, partition int32, timestampMs int64) (int64, error) {
	listed, err := f.admin.ListOffsetsAfterMilli(f, timestampMs, topic)
	found, _ := listed.Lookup(topic, partition)
	if found.Timestamp == -1 { // kadm puts the end in place of no offset
		return -1, err
	}
	return found.Offset, err
}

func (f franz) Offsets(topic string, partition int32) (earliest, latest int64, err error) {
	starts, err := f.admin.ListStartOffsets(f, topic)
	if err != nil {
		return 0, 0, err
	}
	ends, err := f.admin.ListEndOffsets(f, topic)
	start, _ := starts.Lookup(topic, partition)
	end, _ := ends.Lookup(topic, partition)
	return start.Offset, end.Offset, err
}

func (f franz) DescribeCluster() (int, int32, error) {
	cluster, err := f.admin.BrokerMetadata(f)
	return len(cluster.Brokers), cluster.Controller, err
}

func (f franz) CreateTopic(topic string, partitions int32, replicas int16, configs map[string]string) error {
	values := map[string]*string{}
	for name, value := range configs {
		values[name] = &value
	}
	_, err := f.admin.CreateTopic(f, partitions, replicas, values, topic)
	return refused(err)
}

func (f franz) CreatePartitions(topic string, total int32) error {
	answers, err := f.admin.UpdatePartitions(f, int(total), topic)
	return refused(errors.Join(err, answers.Error()))
}

func (f franz) ListTopics() ([]string, error) {
	topics, err := f.admin.ListTopics(f)
	return topics.Names(), err
}

func (f franz) DescribeTopic(topic string) (int, error) {
	topics, err := f.admin.ListTopics(f, topic)
	if err != nil {
		return 0, err
	}
	led := 0
	for _, partition := range topics[topic].Partitions {
		if partition.Leader >= 0 {
			led++
		}
	}
	return led, refused(topics[topic].Err)
}

func (f franz) DescribeConfigs(topic string) (map[string]checks.Config, error) {
	described, err := f.admin.DescribeTopicConfigs(f, topic)
	if err != nil {
		return nil, err
	}
	configs := map[string]checks.Config{}
	for _, config := range described[0].Configs {
		configs[config.Key] = checks.Config{Value: config.MaybeValue(), Default: config.Source == kmsg.ConfigSourceDefaultConfig}
	}
	return configs, refused(described[0].Err)
}

func alterations(configs map[string]string) []kadm.AlterConfig {
	var alter []kadm.AlterConfig
	for name, value := range configs {
		if value == "" {
			alter = append(alter, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
		} else {
			alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
		}
	}
	return alter
}

func altered(answers kadm.AlterConfigsResponses, err error) error {
	if err != nil {
		return err
	}
	return refused(answers[0].Err)
}

func (f franz) IncrementalAlterConfigs(topic string, configs map[string]string) error {
	return altered(f.admin.AlterTopicConfigs(f, alterations(configs), topic))
}

func (f franz) AlterConfigs(topic string, configs map[string]string) error {
	return altered(f.admin.AlterTopicConfigsState(f, alterations(configs), topic))
}

func (f franz) DeleteRecords(topic string, partition int32, beforeOffset int64) error {
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, beforeOffset, -1)
	answers, err := f.admin.DeleteRecords(f, offsets)
	return refused(errors.Join(err, answers.Error()))
}

func (f franz) DeleteTopic(topic string) error {
	_, err := f.admin.DeleteTopic(f, topic)
	return refused(err)
}
