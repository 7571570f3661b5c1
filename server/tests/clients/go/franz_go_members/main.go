// Members by franz-go.
package main

import (
	"context"
	"time"

	"gracchus/clients/members"

	"github.com/twmb/franz-go/pkg/kgo"
)

var protocols = map[string][]kgo.Opt{
	"range":              {kgo.Balancers(kgo.RangeBalancer())},
	"cooperative-sticky": {kgo.Balancers(kgo.CooperativeStickyBalancer())},
	"consumer":           {kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer().(kgo.Opt)},
}

func main() { members.Run(run) }

func run(ctx context.Context, member members.Member) error {
	revoked := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		member.Revoked(partitions[members.Topic])
	}
	options := append([]kgo.Opt{
		kgo.SeedBrokers(members.Brokers...),
		kgo.ClientID(member.Name),
		kgo.ConsumerGroup(members.Group),
		kgo.ConsumeTopics(members.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(members.Session),
		kgo.HeartbeatInterval(members.Heartbeat),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			member.Assigned(partitions[members.Topic])
		}),
		kgo.OnPartitionsRevoked(revoked),
		kgo.OnPartitionsLost(revoked),
	}, protocols[members.Protocol]...)
	if member.Instance != "" {
		options = append(options, kgo.InstanceID(member.Instance))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		read(ctx, client, member)
	}
	client.CloseAllowingRebalance()
	return nil
}

func read(ctx context.Context, client *kgo.Client, member members.Member) {
	fetches := client.PollRecords(ctx, 500)
	defer client.AllowRebalance()
	last := map[int32]*kgo.Record{}
	fetches.EachRecord(func(record *kgo.Record) {
		member.Record(record.Partition, record.Offset)
		last[record.Partition] = record
	})
	for partition, record := range last {
		// Refused in a rebalance, and while the coordinator is away: it is committed or read again later.
		if client.CommitRecords(context.Background(), record) == nil {
			member.Committed(partition, record.Offset+1)
		}
	}
}
