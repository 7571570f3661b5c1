//! The broker that a test talks to, and librdkafka's clients of it.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{env, process, thread};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::support;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A broker to talk to. One that was started here ends with it.
pub(crate) struct Broker {
    bootstrap: String,
    /// The process, and the folder that goes after it.
    _started: Option<(support::Broker, TempDir)>,
}

impl Broker {
    pub(crate) fn start() -> Self {
        if let Ok(bootstrap) = env::var("TEST_BOOTSTRAP") {
            return Self { bootstrap, _started: None };
        }
        let folder = TempDir::new().unwrap();
        let process = support::Broker::start(&folder);
        Self { bootstrap: process.address().to_owned(), _started: Some((process, folder)) }
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// A consumer that joins no group, though librdkafka wants the name of one. It says when it has come to the end of a partition.
    pub(crate) fn consumer(&self) -> BaseConsumer {
        let mut config = self.client();
        config
            .set("group.id", "never-joined")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true");
        config.create().unwrap()
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin(AdminClient::from_config(&self.client()).unwrap())
    }

    /// Makes a topic of its own for a test, and names it.
    pub(crate) fn topic(&self, purpose: &str, partitions: i32) -> String {
        let topic = name(purpose);
        // The records have timestamps of their own, long past.
        let new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let created = wait(self.admin().0.create_topics([&new], &admin_options()));
        assert_eq!(created, Ok(vec![Ok(topic.clone())]));
        self.wait_for_partitions(&topic, usize::try_from(partitions).unwrap());
        topic
    }

    /// The first offset of a partition, and the one behind its last.
    pub(crate) fn watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        self.consumer().fetch_watermarks(topic, partition, PATIENCE).unwrap()
    }

    /// How many partitions the broker says that a topic has; none if it is not there.
    pub(crate) fn partitions(&self, topic: &str) -> usize {
        // All topics: to name one might create it.
        let metadata = self.consumer().fetch_metadata(None, PATIENCE).unwrap();
        metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len())
    }

    pub(crate) fn wait_for_partitions(&self, topic: &str, partitions: usize) {
        assert_becomes(partitions, || self.partitions(topic));
    }
}

/// Asks until the answer is the expected one: what an administrator is told may be ahead of what a broker has heard.
pub(crate) fn assert_becomes<T: PartialEq + Debug>(expected: T, ask: impl Fn() -> T) {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer == expected {
            return;
        }
        if began.elapsed() > PATIENCE {
            assert_eq!(answer, expected);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// An administrator.
pub(crate) struct Admin(pub(crate) AdminClient<DefaultClientContext>);

impl Admin {
    /// Deletes records of one partition: its first offset from then on, or the error.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, before: Offset) -> KafkaResult<Offset> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, before)?;
        let deleted = wait(self.0.delete_records(&offsets, &admin_options()))?;
        let deleted = deleted.find_partition(topic, partition).unwrap();
        deleted.error()?;
        Ok(deleted.offset())
    }
}

pub(crate) fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// A name that nothing else has, on a broker that other runs may have used too.
pub(crate) fn name(purpose: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    format!("{purpose}-{}-{}-{}", since_1970.as_millis(), process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What an administrator's request comes to.
pub(crate) fn wait<T>(request: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(request)
}
