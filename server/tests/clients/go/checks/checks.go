// Package checks is what every Go client has to show, written once against the few verbs of [Client].
// Each check prints one line, which lib.sh counts.
package checks

import (
	"crypto/rand"
	"fmt"
	"os"
	"reflect"
	"slices"
	"time"
)

const (
	partitions = 3
	startMs    = 1_700_000_000_000 // long past, so that no record can take its timestamp from the clock unseen
	stepMs     = 10
)

// The sizes of the values, in turn; noValue deletes on a compacted topic. Values of 1 and 33 bytes go without a key.
var sizes = []int{1, 12, 120, 900, 70, 4_000, noValue, 300, 0, 1_500, 33, 250, 40_000}

const noValue = -1

// Kafka's error codes.
const (
	OffsetOutOfRange         Refused = 1
	UnknownTopicOrPartition  Refused = 3
	MessageTooLarge          Refused = 10
	InvalidTopic             Refused = 17
	TopicAlreadyExists       Refused = 36
	InvalidPartitions        Refused = 37
	InvalidReplicationFactor Refused = 38
	InvalidConfig            Refused = 40
)

var errorNames = map[Refused]string{
	OffsetOutOfRange:         "OFFSET_OUT_OF_RANGE",
	UnknownTopicOrPartition:  "UNKNOWN_TOPIC_OR_PARTITION",
	MessageTooLarge:          "MESSAGE_TOO_LARGE",
	InvalidTopic:             "INVALID_TOPIC_EXCEPTION",
	TopicAlreadyExists:       "TOPIC_ALREADY_EXISTS",
	InvalidPartitions:        "INVALID_PARTITIONS",
	InvalidReplicationFactor: "INVALID_REPLICATION_FACTOR",
	InvalidConfig:            "INVALID_CONFIG",
}

// Refused is the error code that the broker answered with.
type Refused int16

func (code Refused) Error() string {
	if name, known := errorNames[code]; known {
		return name
	}
	return fmt.Sprintf("error %d", int16(code))
}

// Header is one header of a record; a nil value is none, an empty one is empty.
type Header struct {
	Name  string
	Value []byte
}

// Record is what a producer sets and a consumer gets back; nil is none, as in Header.
type Record struct {
	Key, Value  []byte
	Headers     []Header
	TimestampMs int64
}

// Numbered is a record at its offset.
type Numbered struct {
	Offset int64
	Record Record
}

// Config is a topic's setting as it is described.
type Config struct {
	Value   string
	Default bool
}

// Beginning stands for the first offset there is.
const Beginning = -2

// Client is a client's verbs. Errors are Refused where the broker refused.
type Client interface {
	Name() string
	Codecs() []string

	// Produce sends one list of records to each partition, and answers with the offsets they were acknowledged at.
	Produce(topic, codec string, partitions [][]Record) ([][]int64, error)
	// Read takes the next count records from an offset on, and does not go elsewhere when that is out of range.
	Read(topic string, partition int32, offset int64, count int) ([]Numbered, error)
	// ReadNext goes to the end, calls produce, and answers with the first record that comes.
	ReadNext(topic string, partition int32, produce func()) (Numbered, error)
	// OffsetAt is the first offset at or after a timestamp, or -1.
	OffsetAt(topic string, partition int32, timestampMs int64) (int64, error)
	Offsets(topic string, partition int32) (earliest, latest int64, err error)

	DescribeCluster() (nodes int, controller int32, err error)
	CreateTopic(topic string, partitions int32, replicas int16, configs map[string]string) error
	CreatePartitions(topic string, total int32) error
	ListTopics() ([]string, error)
	// DescribeTopic counts the partitions that have a leader.
	DescribeTopic(topic string) (int, error)
	DescribeConfigs(topic string) (map[string]Config, error)
	// IncrementalAlterConfigs sets values; an empty one goes back to the default.
	IncrementalAlterConfigs(topic string, configs map[string]string) error
	// AlterConfigs replaces all values.
	AlterConfigs(topic string, configs map[string]string) error
	DeleteRecords(topic string, partition int32, beforeOffset int64) error
	DeleteTopic(topic string) error
}

// Run shows everything for each client in turn, and deals the input out among them and their codecs.
func Run(clients ...Client) {
	data := must(os.ReadFile(os.Getenv("INPUT")))
	for i, client := range clients {
		topic := client.Name() + "-" + os.Getenv("RUN")
		t := tester{client, client.Name() + " "}
		t.admin(topic + "-admin")
		share := len(data) / len(clients) / len(client.Codecs())
		for j, codec := range client.Codecs() {
			from := (i*len(client.Codecs()) + j) * share
			t.prefix = client.Name() + " " + codec + ": "
			t.records(topic+"-"+codec, codec, records(data[from:from+share]))
		}
	}
}

type tester struct {
	client Client
	prefix string
}

func (t tester) check(what string, expected, got any) {
	if reflect.DeepEqual(expected, got) {
		fmt.Printf("ok  %s%s\n", t.prefix, what)
	} else {
		fmt.Printf("FAILED  %s%s: expected %s, got %s\n", t.prefix, what, brief(expected), brief(got))
	}
}

func (t tester) checkRefused(what string, expected Refused, got error) {
	t.check(fmt.Sprintf("%s is %s", what, expected), error(expected), got)
}

// Metadata reaches a broker a moment after the controller has answered.
func (t tester) checkSoon(what string, expected any, call func() (any, error)) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, err := call()
		if err != nil {
			got = err
		}
		if reflect.DeepEqual(expected, got) || time.Now().After(deadline) {
			t.check(what, expected, got)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (t tester) checkSame(what string, expected, got []Numbered, err error) {
	if err != nil {
		t.check(what, nil, err)
		return
	}
	for i := range min(len(expected), len(got)) {
		if !reflect.DeepEqual(expected[i], got[i]) {
			t.check(what, expected[i], got[i])
			return
		}
	}
	t.check(what, len(expected), len(got))
}

func (t tester) checkPartitions(what, topic string, expected int) {
	t.checkSoon(what, expected, func() (any, error) { return t.client.DescribeTopic(topic) })
}

func (t tester) checkConfigs(what, topic string, expected map[string]Config) {
	t.checkSoon(what, expected, func() (any, error) {
		all, err := t.client.DescribeConfigs(topic)
		got := map[string]Config{}
		for name := range expected {
			got[name] = all[name]
		}
		return got, err
	})
}

func brief(value any) string {
	text := fmt.Sprintf("%+v", value)
	if len(text) > 200 {
		return fmt.Sprintf("%q... (%d bytes)", text[:200], len(text))
	}
	return text
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func mustDo(err error) {
	if err != nil {
		panic(err)
	}
}

// Cuts the data into records, dealt out to the partitions in turn.
func records(data []byte) [][]Record {
	dealt := make([][]Record, partitions)
	for i := 0; len(data) > 0; i++ {
		size := sizes[i%len(sizes)]
		record := Record{TimestampMs: startMs + int64(i)*stepMs}
		if size != 1 && size != 33 {
			record.Key = fmt.Appendf(nil, "key %d", i)
		}
		if i%3 != 0 {
			// The same name twice is legal, and a value may be empty, any bytes, or none.
			number := fmt.Appendf(nil, "%d", i)
			some := data[:min(20, len(data))]
			record.Headers = []Header{{"n", number}, {"n", []byte{}}, {"bytes", some}, {"none", nil}}
		}
		if size != noValue {
			size = min(size, len(data))
			record.Value, data = data[:size], data[size:]
		}
		dealt[i%partitions] = append(dealt[i%partitions], record)
	}
	return dealt
}

func (t tester) records(topic, codec string, sent [][]Record) {
	mustDo(t.client.CreateTopic(topic, partitions, 1, map[string]string{"retention.ms": "-1"}))
	t.checkPartitions("topic created", topic, partitions)

	numbered, offsets, total := make([][]Numbered, partitions), make([][]int64, partitions), 0
	for p := range sent {
		for i, record := range sent[p] {
			numbered[p] = append(numbered[p], Numbered{int64(i), record})
			offsets[p] = append(offsets[p], int64(i))
			total++
		}
	}
	acknowledged := must(t.client.Produce(topic, codec, sent))
	t.check(fmt.Sprintf("%d records are acknowledged in order", total), offsets, acknowledged)
	for p := range numbered {
		got, err := t.client.Read(topic, int32(p), Beginning, len(numbered[p]))
		t.checkSame(fmt.Sprintf("partition %d from the beginning, %d records", p, len(numbered[p])), numbered[p], got, err)
	}

	all := numbered[1]
	middle := all[len(all)/2]
	next := all[len(all)/2:min(len(all)/2+50, len(all))]
	got, err := t.client.Read(topic, 1, middle.Offset, len(next))
	t.checkSame(fmt.Sprintf("from offset %d", middle.Offset), next, got, err)
	at := must(t.client.OffsetAt(topic, 1, middle.Record.TimestampMs-stepMs/2))
	t.check("the offset of a timestamp", middle.Offset, at)
	got, err = t.client.Read(topic, 1, at, len(next))
	t.checkSame("from a timestamp", next, got, err)
	at = must(t.client.OffsetAt(topic, 1, all[len(all)-1].Record.TimestampMs+1))
	t.check("no offset past the last timestamp", int64(-1), at)

	last := Record{Key: []byte("last"), Value: []byte("one more"), TimestampMs: startMs}
	one, err := t.client.ReadNext(topic, 1, func() { must(t.client.Produce(topic, codec, [][]Record{nil, {last}})) })
	t.checkSame("from the end", []Numbered{{int64(len(all)), last}}, []Numbered{one}, err)
	mustDo(t.client.DeleteTopic(topic))
}

func (t tester) admin(topic string) {
	nodes, controller, err := t.client.DescribeCluster()
	t.check("describe cluster: nodes and a controller", []any{true, true, nil}, []any{nodes >= 1, controller >= 0, err})

	mustDo(t.client.CreateTopic(topic, 2, 1, map[string]string{"retention.ms": "-1", "max.message.bytes": "65536"}))
	t.checkPartitions("create topic: its partitions have leaders", topic, 2)
	t.check("list topics: the topic is there", true, slices.Contains(must(t.client.ListTopics()), topic))
	for _, wrong := range []struct {
		what       string
		error      Refused
		topic      string
		partitions int32
		replicas   int16
		configs    map[string]string
	}{
		{"a topic that exists", TopicAlreadyExists, topic, 2, 1, nil},
		{"a topic without partitions", InvalidPartitions, topic + "-new", 0, 1, nil},
		{"a topic with more replicas than brokers", InvalidReplicationFactor, topic + "-new", 1, 99, nil},
		{"a topic with an unknown config", InvalidConfig, topic + "-new", 1, 1, map[string]string{"no.such.config": "1"}},
		{"a topic with a bad config value", InvalidConfig, topic + "-new", 1, 1, map[string]string{"retention.ms": "soon"}},
		{"a topic with a slash", InvalidTopic, topic + "/new", 1, 1, nil},
	} {
		err := t.client.CreateTopic(wrong.topic, wrong.partitions, wrong.replicas, wrong.configs)
		t.checkRefused("creating "+wrong.what, wrong.error, err)
	}
	_, err = t.client.DescribeTopic(topic + "-unknown")
	t.checkRefused("describing an unknown topic", UnknownTopicOrPartition, err)

	mustDo(t.client.CreatePartitions(topic, 4))
	t.checkPartitions("create partitions: four", topic, 4)
	t.checkRefused("fewer partitions", InvalidPartitions, t.client.CreatePartitions(topic, 1))
	t.adminConfigs(topic)
	t.adminRecords(topic)

	mustDo(t.client.DeleteTopic(topic))
	t.checkSoon("delete topic: it is gone", false, func() (any, error) {
		topics, err := t.client.ListTopics()
		return slices.Contains(topics, topic), err
	})
	t.checkRefused("deleting an unknown topic", UnknownTopicOrPartition, t.client.DeleteTopic(topic))
}

func (t tester) adminConfigs(topic string) {
	keptSize, defaultPolicy := Config{"65536", false}, Config{"delete", true}
	t.checkConfigs("describe configs: what is set, and defaults", topic,
		map[string]Config{"max.message.bytes": keptSize, "cleanup.policy": defaultPolicy})
	t.check("describe configs: over 20 of them", true, len(must(t.client.DescribeConfigs(topic))) > 20)

	mustDo(t.client.IncrementalAlterConfigs(topic, map[string]string{"cleanup.policy": "compact", "retention.ms": ""}))
	t.checkConfigs("incremental alter configs: set, deleted, kept", topic, map[string]Config{
		"max.message.bytes": keptSize, "cleanup.policy": {"compact", false}, "retention.ms": {"604800000", true}})
	mustDo(t.client.IncrementalAlterConfigs(topic, map[string]string{"cleanup.policy": ""}))
	err := t.client.IncrementalAlterConfigs(topic, map[string]string{"max.message.bytes": "-7"})
	t.checkRefused("altering a config to a bad value", InvalidConfig, err)

	mustDo(t.client.AlterConfigs(topic, map[string]string{"retention.bytes": "70000", "max.message.bytes": "70000"}))
	mustDo(t.client.AlterConfigs(topic, map[string]string{"max.message.bytes": "70000"}))
	t.checkConfigs("alter configs: all replaced", topic, map[string]Config{
		"max.message.bytes": {"70000", false}, "cleanup.policy": defaultPolicy, "retention.bytes": {"-1", true}})
}

func (t tester) adminRecords(topic string) {
	record := Record{Key: []byte("key"), Value: []byte("value"), TimestampMs: time.Now().UnixMilli()}
	must(t.client.Produce(topic, "none", [][]Record{slices.Repeat([]Record{record}, 10)}))
	tooLarge := Record{Value: random(100_000), TimestampMs: record.TimestampMs}
	_, err := t.client.Produce(topic, "none", [][]Record{{tooLarge}})
	t.checkRefused("a record that is too large", MessageTooLarge, err)

	earliest, latest, err := t.client.Offsets(topic, 0)
	t.check("list offsets", []any{int64(0), int64(10), nil}, []any{earliest, latest, err})
	mustDo(t.client.DeleteRecords(topic, 0, 4))
	earliest, latest, err = t.client.Offsets(topic, 0)
	t.check("list offsets: after records were deleted", []any{int64(4), int64(10), nil}, []any{earliest, latest, err})
	got, err := t.client.Read(topic, 0, Beginning, 1)
	t.checkSame("from the beginning: after records were deleted", []Numbered{{4, record}}, got, err)
	_, err = t.client.Read(topic, 0, 0, 1)
	t.checkRefused("reading what was deleted", OffsetOutOfRange, err)
	t.checkRefused("deleting past the end", OffsetOutOfRange, t.client.DeleteRecords(topic, 0, 11))
}

func random(size int) []byte {
	value := make([]byte, size)
	must(rand.Read(value))
	return value
}
