// Members by Sarama, at the newest version that it knows.
package main

import (
	"context"
	"errors"
	"time"

	"gracchus/clients/members"

	"github.com/IBM/sarama"
)

var strategies = map[string]func() sarama.BalanceStrategy{
	"range":              sarama.NewBalanceStrategyRange,
	"cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky,
}

func main() { members.Run(run) }

func run(ctx context.Context, member members.Member) error {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.ClientID = member.Name
	config.Metadata.AllowAutoTopicCreation = false
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = members.Session
	config.Consumer.Group.Heartbeat.Interval = members.Heartbeat
	config.Consumer.Group.InstanceId = member.Instance
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[members.Protocol]()}
	client, err := sarama.NewClient(members.Brokers, config)
	if err != nil {
		return err
	}
	defer client.Close()
	group, err := sarama.NewConsumerGroupFromClient(members.Group, client)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		// A session ends with a rebalance, or when the coordinator is away.
		if err := group.Consume(ctx, []string{members.Topic}, handler{client, member}); err != nil && ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
	if err := group.Close(); err != nil && !errors.Is(err, sarama.ErrClosedClient) {
		return err
	}
	return nil
}

type handler struct {
	client sarama.Client
	member members.Member
}

func (handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim has a partition: Sarama ends its claims before it joins again without them.
func (h handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	partition := claim.Partition()
	h.member.Assigned([]int32{partition})
	defer h.member.Revoked([]int32{partition})
	for message := range claim.Messages() {
		h.read(session, message)
		for range len(claim.Messages()) {
			h.read(session, <-claim.Messages())
		}
		session.Commit()
		if offset, err := h.committed(partition); err == nil && offset >= 0 {
			h.member.Committed(partition, offset)
		}
	}
	return nil
}

func (h handler) read(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) {
	if message != nil {
		h.member.Record(message.Partition, message.Offset)
		session.MarkMessage(message, "")
	}
}

// Asks the coordinator: Sarama says nothing of a commit that succeeds.
func (h handler) committed(partition int32) (int64, error) {
	coordinator, err := h.client.Coordinator(members.Group)
	if err != nil {
		return 0, err
	}
	request := sarama.NewOffsetFetchRequest(h.client.Config().Version, members.Group, map[string][]int32{members.Topic: {partition}})
	answer, err := coordinator.FetchOffset(request)
	if err != nil {
		return 0, err
	}
	block := answer.GetBlock(members.Topic, partition)
	if block == nil {
		return 0, sarama.ErrIncompleteResponse
	}
	if block.Err != sarama.ErrNoError {
		return 0, block.Err
	}
	return block.Offset, nil
}
