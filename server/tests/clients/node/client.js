// kafkajs, which speaks no flexible version of any request: Produce 7, Fetch 11, Metadata 6. Its consumer wants a group,
// so what it reads is fetched through its own connection to the broker, below the consumer.
'use strict'

const crypto = require('crypto')
const fs = require('fs')
const { isDeepStrictEqual, inspect } = require('util')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs')

const { BOOTSTRAP, INPUT, RUN } = process.env
const PARTITIONS = 3
const START_MS = 1_700_000_000_000 // long past, so that no record can take its timestamp from the clock unseen
const STEP_MS = 10
// Sizes of the values, in turn: null has no value, which on a compacted topic deletes. 1 and 33 go without a key.
const SIZES = [1, 12, 120, 900, 70, 4_000, null, 300, 0, 1_500, 33, 250, 40_000]
const RECORDS_PER_SEND = 300
const DEFAULT_CONFIG = 5
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
// What kafkajs leaves to others.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})

const kafka = new Kafka({ brokers: [BOOTSTRAP], logLevel: logLevel.NOTHING, retry: { retries: 2 } })
const admin = kafka.admin()
const producer = kafka.producer()
const createCluster = Object.getOwnPropertySymbols(kafka).find(s => s.description === 'private:Kafka:createCluster')
const cluster = kafka[createCluster]({ allowAutoTopicCreation: false, metadataMaxAge: 300_000 })

function brief(value) {
  const text = inspect(value, { depth: 5, breakLength: Infinity })
  return text.length <= 200 ? text : `${text.slice(0, 200)}... (${text.length} characters)`
}

function check(what, expected, got) {
  if (isDeepStrictEqual(expected, got)) console.log(`ok  ${what}`)
  else console.log(`FAILED  ${what}: expected ${brief(expected)}, got ${brief(got)}`)
}

function checkSame(what, expected, got) {
  const at = expected.findIndex((record, i) => !isDeepStrictEqual(record, got[i]))
  if (at >= 0) check(what, expected[at], got[at])
  else check(what, expected.length, got.length)
}

// Kafka's name of an error, wherever kafkajs puts it.
const errorName = e => {
  const within = e.errors?.[0] ?? e.partitions?.[0].error ?? e.cause
  return e.type ?? (within ? errorName(within) : String(e))
}

async function checkRefused(what, error, call) {
  check(`${what} is ${error}`, error, await call().catch(errorName))
}

// Metadata reaches a broker a moment after the controller has answered.
async function checkSoon(what, expected, call) {
  const deadline = Date.now() + 10_000
  for (;;) {
    const got = await call().catch(errorName)
    if (isDeepStrictEqual(expected, got) || Date.now() > deadline) return check(what, expected, got)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

// Cuts the data into records, dealt out to the partitions in turn.
function cut(data) {
  const records = []
  for (let i = 0, at = 0; at < data.length; i++) {
    const size = SIZES[i % SIZES.length]
    records.push({
      partition: i % PARTITIONS,
      offset: String(Math.floor(i / PARTITIONS)),
      key: size === 1 || size === 33 ? null : Buffer.from(`key ${i}`),
      value: size === null ? null : data.subarray(at, at + size),
      // The same name twice is legal, and a value may be empty or any bytes.
      headers: i % 3 ? { n: [Buffer.from(`${i}`), Buffer.alloc(0)], bytes: data.subarray(at, at + 20) } : {},
      timestamp: String(START_MS + i * STEP_MS),
    })
    at += size ?? 0
  }
  return records
}

// Sends records, and answers with the offset of each.
async function send(topic, codec, records) {
  const offsets = []
  for (let from = 0; from < records.length; from += RECORDS_PER_SEND) {
    const messages = records.slice(from, from + RECORDS_PER_SEND)
    const sent = await producer.send({ topic, compression: CODECS[codec], messages })
    const next = new Map(sent.map(({ partition, baseOffset }) => [partition, BigInt(baseOffset)]))
    for (const { partition } of messages) {
      offsets.push(String(next.get(partition)))
      next.set(partition, next.get(partition) + 1n)
    }
  }
  return offsets
}

async function fetch(topic, partition, offset, maxWaitTime) {
  await cluster.addTargetTopic(topic)
  const [{ leader }] = cluster.findTopicPartitionMetadata(topic).filter(p => p.partitionId === partition)
  const broker = await cluster.findBroker({ nodeId: leader })
  const partitions = [{ partition, fetchOffset: offset, maxBytes: 1_048_576 }]
  const { responses } = await broker.fetch({ isolationLevel: 0, maxWaitTime, topics: [{ topic, partitions }] })
  return responses[0].partitions[0].messages
    .filter(message => BigInt(message.offset) >= BigInt(offset)) // a fetch inside a batch brings all of it
    .map(({ offset, key, value, headers, timestamp }) => ({ partition, offset, key, value, headers, timestamp }))
}

async function read(topic, partition, offset, count) {
  const got = []
  while (got.length < count) {
    const messages = await fetch(topic, partition, offset, 5_000)
    if (messages.length === 0) break
    got.push(...messages)
    offset = String(BigInt(got[got.length - 1].offset) + 1n)
  }
  return got.slice(0, count)
}

const create = (topic, numPartitions, configs = {}, replicationFactor = 1) =>
  admin.createTopics({
    topics: [
      { topic, numPartitions, replicationFactor, configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })) },
    ],
    waitForLeaders: false,
  })

async function countLed(topic) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0].partitions.filter(p => p.leader >= 0).length
}

async function offsetsOf(topic, partition) {
  const { low, high } = (await admin.fetchTopicOffsets(topic)).find(p => p.partition === partition)
  return { low, high }
}

async function offsetAt(topic, partition, timestamp) {
  return (await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)).find(p => p.partition === partition).offset
}

async function checkRecords(topic, codec, records) {
  await create(topic, PARTITIONS, { 'retention.ms': '-1' })
  await checkSoon(`${codec}: topic created`, PARTITIONS, () => countLed(topic))
  const acknowledged = await send(topic, codec, records)
  check(`${codec}: ${records.length} records are acknowledged in order`, records.map(r => r.offset), acknowledged)
  for (let p = 0; p < PARTITIONS; p++) {
    const sent = records.filter(r => r.partition === p)
    const { low } = await offsetsOf(topic, p)
    checkSame(`${codec}: partition ${p} from the beginning, ${sent.length} records`, sent, await read(topic, p, low, sent.length))
  }

  const sent = records.filter(r => r.partition === 1)
  const middle = Math.floor(sent.length / 2)
  const next = sent.slice(middle, middle + 50)
  checkSame(`${codec}: from offset ${middle}`, next, await read(topic, 1, String(middle), next.length))
  const at = await offsetAt(topic, 1, Number(sent[middle].timestamp) - STEP_MS / 2)
  check(`${codec}: the offset of a timestamp`, String(middle), at)
  checkSame(`${codec}: from a timestamp`, next, await read(topic, 1, at, next.length))
  const past = await offsetAt(topic, 1, Number(sent[sent.length - 1].timestamp) + 1)
  check(`${codec}: past the last timestamp comes the end`, String(sent.length), past)

  const { high } = await offsetsOf(topic, 1)
  const last = { partition: 1, offset: high, key: Buffer.from('last'), value: Buffer.from('one more'), headers: {}, timestamp: `${START_MS}` }
  const waiting = fetch(topic, 1, high, 30_000)
  await send(topic, codec, [last])
  checkSame(`${codec}: from the end`, [last], await waiting)
  await admin.deleteTopics({ topics: [topic] })
}

async function describeConfigs(topic, ...names) {
  const { resources } = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] })
  const entries = new Map(resources[0].configEntries.map(e => [e.configName, [e.configValue, e.configSource === DEFAULT_CONFIG]]))
  return names.length ? names.map(name => entries.get(name)) : [...entries]
}

function alterConfigs(topic, configs) {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  return admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }] })
}

async function checkAdmin(topic) {
  const { brokers, controller, clusterId } = await admin.describeCluster()
  check('describe cluster: nodes, a controller and a cluster id', [true, true, true], [brokers.length >= 1, controller >= 0, !!clusterId])

  check('create topic', true, await create(topic, 2, { 'retention.ms': '-1', 'max.message.bytes': '65536' }))
  await checkSoon('create topic: its partitions have leaders', 2, () => countLed(topic))
  check('list topics: the topic is there', true, (await admin.listTopics()).includes(topic))
  check('creating a topic that exists is TOPIC_ALREADY_EXISTS, to kafkajs false', false, await create(topic, 2))
  for (const [what, error, ...wanted] of [
    ['a topic without partitions', 'INVALID_PARTITIONS', `${topic}-new`, 0],
    ['a topic with more replicas than brokers', 'INVALID_REPLICATION_FACTOR', `${topic}-new`, 1, {}, 99],
    ['a topic with an unknown config', 'INVALID_CONFIG', `${topic}-new`, 1, { 'no.such.config': '1' }],
    ['a topic with a bad config value', 'INVALID_CONFIG', `${topic}-new`, 1, { 'retention.ms': 'soon' }],
    ['a topic with a slash', 'INVALID_TOPIC_EXCEPTION', `${topic}/new`, 1],
  ]) {
    await checkRefused(`creating ${what}`, error, () => create(...wanted))
  }
  await checkRefused('describing an unknown topic', 'UNKNOWN_TOPIC_OR_PARTITION', () => countLed(`${topic}-unknown`))

  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  await checkSoon('create partitions: four', 4, () => countLed(topic))
  await checkRefused('fewer partitions', 'INVALID_PARTITIONS', () => admin.createPartitions({ topicPartitions: [{ topic, count: 1 }] }))

  const names = ['max.message.bytes', 'cleanup.policy', 'retention.ms']
  const described = [['65536', false], ['delete', true], ['-1', false]]
  await checkSoon('describe configs: what is set, and defaults', described, () => describeConfigs(topic, ...names))
  check('describe configs: over 20 of them', true, (await describeConfigs(topic)).length > 20)
  await alterConfigs(topic, { 'max.message.bytes': '70000' })
  const altered = [['70000', false], ['delete', true], ['604800000', true]]
  await checkSoon('alter configs: all replaced', altered, () => describeConfigs(topic, ...names))
  await checkRefused('altering a config to a bad value', 'INVALID_CONFIG', () => alterConfigs(topic, { 'max.message.bytes': '-7' }))

  const record = { partition: 0, key: Buffer.from('key'), value: Buffer.from('value'), headers: {}, timestamp: `${Date.now()}` }
  await send(topic, 'none', Array(10).fill(record))
  const tooLarge = { ...record, value: crypto.randomBytes(100_000) }
  await checkRefused('a record that is too large', 'MESSAGE_TOO_LARGE', () => send(topic, 'none', [tooLarge]))

  check('list offsets', { low: '0', high: '10' }, await offsetsOf(topic, 0))
  const deleteBefore = offset => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] })
  await deleteBefore('4')
  check('list offsets: after records were deleted', { low: '4', high: '10' }, await offsetsOf(topic, 0))
  await checkRefused('reading what was deleted', 'OFFSET_OUT_OF_RANGE', () => read(topic, 0, '0', 1))
  await checkRefused('deleting past the end', 'OFFSET_OUT_OF_RANGE', () => deleteBefore('11'))

  await admin.deleteTopics({ topics: [topic] })
  await checkSoon('delete topic: it is gone', false, async () => (await admin.listTopics()).includes(topic))
  await checkRefused('deleting an unknown topic', 'UNKNOWN_TOPIC_OR_PARTITION', () => admin.deleteTopics({ topics: [topic] }))
}

async function main() {
  await Promise.all([zstd.init(), admin.connect(), producer.connect(), cluster.connect()])
  console.log('--  kafkajs lacks headers without a value, IncrementalAlterConfigs, and a consumer without a group')
  const data = fs.readFileSync(INPUT)
  const share = Math.floor(data.length / Object.keys(CODECS).length)
  await checkAdmin(`kafkajs-${RUN}-admin`)
  for (const [i, codec] of Object.keys(CODECS).entries()) {
    await checkRecords(`kafkajs-${RUN}-${codec}`, codec, cut(data.subarray(i * share, (i + 1) * share)))
  }
  await Promise.all([admin.disconnect(), producer.disconnect(), cluster.disconnect()])
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
