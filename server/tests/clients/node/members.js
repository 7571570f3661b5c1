// Members by kafkajs. What they are told and what they say is as in python/members.py.
'use strict'

const readline = require('readline')
const { Kafka, logLevel } = require('kafkajs')

const { BOOTSTRAP, TOPIC, GROUP, SESSION_MS, HEARTBEAT_MS } = process.env
const say = (...words) => process.stdout.write(`${words.join('\t')}\n`)

class Member {
  constructor(name) {
    this.name = name
    this.owned = []
    this.leaving = false
    const kafka = new Kafka({
      brokers: BOOTSTRAP.split(','),
      clientId: name,
      logLevel: logLevel.ERROR,
      logCreator: () => entry => this.logged(entry),
      // It keeps a dead coordinator for as long as it tries again, three loops within each other, and sends no heartbeat; then it restarts,
      // and finds the next one.
      retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 1, restartOnFailure: async () => !this.leaving },
    })
    this.consumer = kafka.consumer({
      groupId: GROUP,
      sessionTimeout: Number(SESSION_MS),
      heartbeatInterval: Number(HEARTBEAT_MS),
      maxWaitTimeInMs: 100,
    })
    const { GROUP_JOIN, REBALANCING, CRASH } = this.consumer.events
    this.consumer.on(REBALANCING, () => this.revoked())
    this.consumer.on(GROUP_JOIN, ({ payload }) => this.assigned(payload.memberAssignment[TOPIC] ?? []))
    this.consumer.on(CRASH, ({ payload }) => {
      if (!payload.restart && !this.leaving) say('failed', this.name, payload.error)
    })
  }

  async run() {
    await this.consumer.connect()
    await this.consumer.subscribe({ topic: TOPIC, fromBeginning: true })
    await this.consumer.run({ autoCommit: false, eachBatch: payload => this.read(payload) })
  }

  async read({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
    if (this.leaving || !isRunning() || isStale()) return
    for (const { offset } of batch.messages) {
      say('record', this.name, batch.partition, offset)
      resolveOffset(offset)
    }
    const offset = String(Number(batch.lastOffset()) + 1)
    await this.consumer.commitOffsets([{ topic: TOPIC, partition: batch.partition, offset }])
    say('committed', this.name, batch.partition, offset)
    await heartbeat()
  }

  // A consumer that crashes leaves the group before it emits that: but not before it logs it.
  logged({ log }) {
    if (log.message.startsWith('Crash: ')) this.revoked()
    console.error(this.name, log.message)
  }

  assigned(partitions) {
    this.revoked()
    if (partitions.length) say('assigned', this.name, partitions.join())
    this.owned = partitions
  }

  revoked() {
    if (this.owned.length) say('revoked', this.name, this.owned.join())
    this.owned = []
  }

  // kafkajs tells nobody of a revocation when it leaves.
  async leave() {
    this.leaving = true
    this.revoked()
    await this.consumer.disconnect()
    say('left', this.name)
  }
}

const members = new Map()
say('ready', '')
const failed = name => failure => say('failed', name, failure)
readline.createInterface({ input: process.stdin }).on('line', line => {
  const [verb, name] = line.split(' ')
  if (verb === 'join') {
    members.set(name, new Member(name))
    members.get(name).run().catch(failed(name))
  } else {
    members.get(name).leave().catch(failed(name))
  }
}).on('close', () => process.exit())
