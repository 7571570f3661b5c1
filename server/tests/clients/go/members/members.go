// Package members is a program that holds members of a consumer group, for Go's clients: it is told on standard input who comes and goes,
// and says what befalls them. What it is told and what it says is as in python/members.py.
package members

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the program is told by its environment.
var (
	Brokers   = strings.Split(os.Getenv("BOOTSTRAP"), ",")
	Topic     = os.Getenv("TOPIC")
	Group     = os.Getenv("GROUP")
	Protocol  = os.Getenv("PROTOCOL")
	Session   = milliseconds("SESSION_MS")
	Heartbeat = milliseconds("HEARTBEAT_MS")
)

func milliseconds(name string) time.Duration {
	number, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		panic(err)
	}
	return time.Duration(number) * time.Millisecond
}

// Member is what a client's member says of itself.
type Member struct {
	Name     string
	Instance string // empty when it is not a static one
}

// Run runs members; run is to return when its context ends and the member has left.
func Run(run func(context.Context, Member) error) {
	leaves := map[string]context.CancelFunc{}
	say("ready\t\n")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := append(strings.Fields(lines.Text()), "")
		name := words[1]
		if words[0] == "leave" {
			leaves[name]()
			continue
		}
		ctx, leave := context.WithCancel(context.Background())
		leaves[name] = leave
		go func() {
			if err := run(ctx, Member{name, words[2]}); err != nil {
				say("failed\t%s\t%v\n", name, err)
			} else {
				say("left\t%s\n", name)
			}
		}()
	}
}

// Assigned says which partitions it is given.
func (m Member) Assigned(partitions []int32) { m.partitions("assigned", partitions) }

// Revoked says which partitions it is to give up, before it does.
func (m Member) Revoked(partitions []int32) { m.partitions("revoked", partitions) }

func (m Member) partitions(what string, partitions []int32) {
	if len(partitions) == 0 {
		return
	}
	slices.Sort(partitions)
	say("%s\t%s\t%s\n", what, m.Name, strings.ReplaceAll(strings.Trim(fmt.Sprint(partitions), "[]"), " ", ","))
}

// Record says which record it has read.
func (m Member) Record(partition int32, offset int64) { m.offset("record", partition, offset) }

// Committed says up to which offset it has committed.
func (m Member) Committed(partition int32, offset int64) { m.offset("committed", partition, offset) }

func (m Member) offset(what string, partition int32, offset int64) {
	say("%s\t%s\t%d\t%d\n", what, m.Name, partition, offset)
}

var voice sync.Mutex

func say(format string, words ...any) {
	voice.Lock()
	defer voice.Unlock()
	fmt.Printf(format, words...)
}
