//! Brokers inside the test, and what only a consumer does with them.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Command;
use std::time::Duration;

use orderd_sink_testing::{Received, Target, eventually};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub const PARTITIONS: i32 = 4;

/// librdkafka's own mock of a cluster: three brokers that listen on the loopback and keep messages in memory.
pub struct Kafka {
    pub cluster: MockCluster<'static, DefaultProducerContext>,
    /// The last broker that was away.
    outage: i32,
}

/// The name of the variable that says so to a test which runs in a process of its own.
const APART: &str = "ORDERD_TEST_APART";
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// Runs the test of this name in a process of its own. A broker that goes away under load can crash the mock, and with it
/// the process that it is in: then, and in no other case, the test begins again.
pub fn apart(test: &str, body: impl FnOnce()) {
    if std::env::var_os(APART).is_some() {
        return body();
    }
    for _ in 0..3 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut process =
            command.args(["--exact", test, "--nocapture"]).env(APART, "1").process_group(0).spawn().unwrap();
        let status = process.wait().unwrap();
        // The programs that a crash has left.
        Command::new("kill").args(["-KILL", "--", &format!("-{}", process.id())]).output().unwrap();
        if status.success() {
            return;
        }
        let crashed = status.signal().is_some_and(|signal| [SIGABRT, SIGSEGV].contains(&signal));
        assert!(crashed, "{test}: {status}");
        eprintln!("{test}: the mock cluster crashed ({status}); once more");
    }
    panic!("{test}: the mock cluster crashed three times");
}

/// A message as a consumer gets it.
pub struct Stored {
    pub partition: i32,
    pub key: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Kafka {
    pub fn start() -> Self {
        let cluster = MockCluster::new(3).unwrap();
        cluster.create_topic("orders", PARTITIONS, 3).unwrap();
        Self { cluster, outage: 0 }
    }
}

impl Target for Kafka {
    const BINARY: &str = env!("CARGO_BIN_EXE_orderd-sink-kafka");
    type Message = Stored;

    fn keys(&self) -> String {
        format!("bootstrap_servers = \"{}\"\ntopic = \"orders\"\n", self.cluster.bootstrap_servers())
    }

    fn stored(&self) -> Vec<Stored> {
        stored(&self.cluster.bootstrap_servers(), PARTITIONS, 0)
    }

    /// A mock has no process to kill. Brokers go one after the other: the leader of every partition is away at some time.
    fn kill(&mut self) {
        self.outage = self.outage % 3 + 1;
        self.cluster.broker_down(self.outage).unwrap();
        std::thread::park_timeout(Duration::from_millis(300));
        self.cluster.broker_up(self.outage).unwrap();
    }
}

impl AsRef<[u8]> for Stored {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl From<Stored> for Received {
    fn from(message: Stored) -> Self {
        Self { headers: message.headers, content_type: None, body: message.body }
    }
}

/// Everything in the topic, partition by partition; `at_least` for a broker whose watermarks lag.
pub fn stored(servers: &str, partitions: i32, at_least: usize) -> Vec<Stored> {
    let mut client = ClientConfig::new();
    let consumer: BaseConsumer = client.set("bootstrap.servers", servers).set("group.id", "test").create().unwrap();
    let (mut list, mut expected) = (TopicPartitionList::new(), 0);
    for partition in 0..partitions {
        let wait = Duration::from_secs(2);
        let (first, last) = eventually("the watermarks", || consumer.fetch_watermarks("orders", partition, wait).ok());
        expected += usize::try_from(last - first).unwrap();
        list.add_partition_offset("orders", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut stored = Vec::new();
    while stored.len() < expected.max(at_least) {
        stored.push(eventually("a message", || match consumer.poll(Duration::from_secs(1))? {
            Ok(message) => Some(Stored {
                partition: message.partition(),
                key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
                headers: message.headers().map(headers).unwrap_or_default(),
                body: message.payload().unwrap().to_vec(),
            }),
            Err(_) => None,
        }));
    }
    stored.sort_by_key(|message| message.partition);
    stored
}

fn headers(headers: &rdkafka::message::BorrowedHeaders) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    headers.iter().map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect()
}
