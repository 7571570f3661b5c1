//! Connections over madsim's TCP, with what a real network adds.
//!
//! **Fault model.** A connection keeps bytes in order and loses none while it lives. Its writer waits once a window of bytes is unread. Reads and
//! writes come in odd sizes. It may stall, be reset, or be half open: one end has vanished and the other is not told; a host that comes
//! back after that answers what it gets with a reset. Hosts may be partitioned, which stalls what connects them, or one of them may be mute to
//! the other, which stalls what it sends; who connects across either, or to a host without power, waits until it ends or the attempt times
//! out. For a time all messages may take long. A process that dies closes its connections or resets them.

mod link;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::net::{NetSim, TcpListener, TcpStream};
use serde::{Deserialize, Serialize};

use self::link::{Link, Side};
pub use self::stream::{SimReader, SimWriter, Vanish};
use super::clock::simulated_time;
use super::lock;
use crate::draw::{Draw, Stream};

/// How the network treats its users. Rates are chances in a million for each operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetFaults {
    /// Reads that return fewer bytes than there are.
    pub odd_read: u32,
    /// Writes that take fewer bytes than they could.
    pub odd_write: u32,
}

/// Faults that took effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each counts the fault of its name")]
pub struct NetFaultCounts {
    pub resets: u64,
    pub stalls: u64,
    pub half_open: u64,
    pub connects_held: u64,
}

/// Nodes have more room for what is under way between them than a poor client has: what one has missed is megabytes.
const NODES_WINDOW_BYTES_MIN: usize = 64 << 10;

fn is_machine_of_nodes(host: IpAddr) -> bool {
    matches!(host, IpAddr::V4(address) if address.octets().starts_with(&[10, 0, 0]))
}

/// The network of a run.
#[derive(Clone, Debug)]
pub struct SimNet {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    draw: Draw,
    faults: NetFaults,
    counts: NetFaultCounts,
    links: Vec<Arc<Mutex<Link>>>,
    /// Connections that were made and not accepted, by the ends' addresses.
    arriving: BTreeMap<(SocketAddr, SocketAddr), Arc<Mutex<Link>>>,
    /// Hosts that do not reach others, and for how many reasons.
    lost: BTreeMap<(IpAddr, IpAddr), u32>,
    dark: BTreeSet<IpAddr>,
    /// How long messages take.
    latency: Range<Duration>,
    /// The longest that they take, for each reason that there is for that to be longer.
    lags: Vec<Duration>,
}

/// Where connections come in.
#[derive(Debug)]
pub struct SimListener {
    listener: TcpListener,
}

impl Shared {
    fn take_its_time(&self) {
        let longest = self.lags.iter().copied().fold(self.latency.end, Duration::max);
        NetSim::current().update_config(|config| config.send_latency = self.latency.start..longest);
    }
}

impl SimNet {
    /// A network whose random choices follow from `seed`, and whose messages take about so long.
    #[must_use]
    pub fn new(seed: u64, latency: Range<Duration>, faults: NetFaults) -> Self {
        let shared = Shared {
            draw: Draw::new(seed, Stream::Network),
            faults,
            counts: NetFaultCounts::default(),
            links: Vec::new(),
            arriving: BTreeMap::new(),
            lost: BTreeMap::new(),
            dark: BTreeSet::new(),
            latency,
            lags: Vec::new(),
        };
        shared.take_its_time();
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Listens on an address of the calling node.
    pub(super) async fn bind(address: &str) -> io::Result<(SimListener, SocketAddr)> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((SimListener { listener }, bound))
    }

    /// Takes the next connection.
    pub(super) async fn accept(&self, listener: &SimListener) -> io::Result<(SimReader, SimWriter, SocketAddr)> {
        loop {
            let (stream, peer) = listener.listener.accept().await?;
            let link = lock(&self.shared).arriving.remove(&(peer, stream.local_addr()?));
            if let Some(link) = link {
                let (reader, writer) = stream::split(stream, &link, Side::Server, self);
                return Ok((reader, writer, peer));
            }
        }
    }

    /// Connects the host `from`, on which it is called, to `server`.
    ///
    /// # Errors
    /// When nobody listens there, or nobody could be reached for `wait_max`.
    pub async fn connect(&self, from: IpAddr, server: SocketAddr, wait_max: Duration) -> io::Result<(SimReader, SimWriter)> {
        let deadline = simulated_time() + wait_max;
        let mut is_held = false;
        while !self.reaches(from, server.ip()) {
            if simulated_time() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if !is_held {
                self.count(|counts| counts.connects_held += 1);
            }
            is_held = true;
            madsim::time::sleep(Duration::from_millis(50)).await;
        }
        let stream = TcpStream::connect(server).await?;
        let client = stream.local_addr()?;
        // The listener's task runs after this one has come to rest: it finds what is put down here.
        let link = {
            let mut shared = lock(&self.shared);
            let least = if is_machine_of_nodes(from) { NODES_WINDOW_BYTES_MIN } else { 0 };
            let window_bytes = shared.draw.pick(&[4 << 10, 32 << 10, 256 << 10, 1 << 20]).max(least);
            let link = Arc::new(Mutex::new(Link::new(client, server, window_bytes)));
            shared.links.retain(|link| !lock(link).is_over());
            shared.links.push(Arc::clone(&link));
            shared.arriving.insert((client, server), Arc::clone(&link));
            link
        };
        Ok(stream::split(stream, &link, Side::Client, self))
    }

    /// Changes how the network treats its users.
    pub fn set_faults(&self, faults: NetFaults) {
        lock(&self.shared).faults = faults;
    }

    /// Faults that took effect so far.
    #[must_use]
    pub fn fault_counts(&self) -> NetFaultCounts {
        lock(&self.shared).counts
    }

    /// Resets each connection with a chance in a million. Says how many it were.
    pub fn reset_some(&self, per_million: u32) -> usize {
        let chosen = self.choose(per_million);
        self.count(|counts| counts.resets += chosen.len() as u64);
        chosen.iter().for_each(|link| lock(link).reset());
        chosen.len()
    }

    /// Stalls each connection with a chance in a million, for as long as `length`. Says how many it were.
    pub async fn stall_some(&self, per_million: u32, length: Duration) -> usize {
        let chosen = self.choose(per_million);
        self.count(|counts| counts.stalls += chosen.len() as u64);
        chosen.iter().for_each(|link| lock(link).set_stalled(true));
        madsim::time::sleep(length).await;
        chosen.iter().for_each(|link| lock(link).set_stalled(false));
        chosen.len()
    }

    /// Parts two hosts, or ends one reason for which they are parted. Says how many connections there are between them.
    pub fn set_partitioned(&self, one: IpAddr, other: IpAddr, is_partitioned: bool) -> usize {
        self.set_mute(one, other, is_partitioned);
        self.set_mute(other, one, is_partitioned)
    }

    /// Has nothing arrive that one host sends to another, or ends one reason for that. Says how many connections there are between them.
    pub fn set_mute(&self, from: IpAddr, to: IpAddr, is_mute: bool) -> usize {
        let mut shared = lock(&self.shared);
        let reasons = shared.lost.entry((from, to)).or_default();
        *reasons = if is_mute { *reasons + 1 } else { reasons.saturating_sub(1) };
        shared.lost.retain(|_, reasons| *reasons > 0);
        let is_lost = shared.lost.contains_key(&(from, to));
        let mut count = 0;
        for link in &shared.links {
            let mut link = lock(link);
            let side = match (link.client.ip(), link.server.ip()) {
                ends if ends == (from, to) => Side::Client,
                ends if ends == (to, from) => Side::Server,
                _ => continue,
            };
            if !link.is_over() {
                link.set_lost(side, is_lost);
                count += 1;
            }
        }
        count
    }

    /// Has each message take up to `longest`, or ends one reason for that. Those of one connection still come in their order.
    pub fn set_lag(&self, longest: Duration, is_lagging: bool) {
        let mut shared = lock(&self.shared);
        if is_lagging {
            shared.lags.push(longest);
        } else if let Some(at) = shared.lags.iter().position(|lag| *lag == longest) {
            shared.lags.swap_remove(at);
        }
        shared.take_its_time();
    }

    /// Joins all hosts again.
    pub fn heal(&self) {
        let mut shared = lock(&self.shared);
        shared.lags.clear();
        shared.take_its_time();
        drop(shared);
        let pairs: Vec<_> = lock(&self.shared).lost.keys().copied().collect();
        for (from, to) in pairs {
            while !self.is_heard(from, to) {
                self.set_mute(from, to, false);
            }
        }
    }

    fn is_heard(&self, from: IpAddr, to: IpAddr) -> bool {
        !lock(&self.shared).lost.contains_key(&(from, to))
    }

    /// A process on a host dies: some of its connections are reset; the others close as it is cleared away.
    pub fn process_died(&self, host: IpAddr) {
        for link in self.links_of(host) {
            if lock(&self.shared).draw.chance(500_000) {
                lock(&link).reset();
            }
        }
    }

    /// A host loses its power: whoever is connected to it hears nothing of it.
    pub fn power_lost(&self, host: IpAddr) {
        let links = self.links_of(host);
        self.count(|counts| counts.half_open += links.len() as u64);
        links.iter().for_each(|link| lock(link).set_half_open());
        lock(&self.shared).dark.insert(host);
    }

    /// A host has power again.
    pub fn power_is_back(&self, host: IpAddr) {
        lock(&self.shared).dark.remove(&host);
        self.links_of(host).iter().for_each(|link| lock(link).set_unknown());
    }

    /// What was drawn so far: equal for two equal runs.
    #[must_use]
    pub fn fingerprint(&self) -> (u128, u64) {
        lock(&self.shared).draw.fingerprint()
    }

    fn count(&self, add: impl FnOnce(&mut NetFaultCounts)) {
        add(&mut lock(&self.shared).counts);
    }

    fn reaches(&self, one: IpAddr, other: IpAddr) -> bool {
        self.is_heard(one, other) && self.is_heard(other, one) && !lock(&self.shared).dark.contains(&other)
    }

    fn links_of(&self, host: IpAddr) -> Vec<Arc<Mutex<Link>>> {
        let shared = lock(&self.shared);
        let is_of = |link: &&Arc<Mutex<Link>>| {
            let link = lock(link);
            (link.client.ip() == host || link.server.ip() == host) && !link.is_over()
        };
        shared.links.iter().filter(is_of).cloned().collect()
    }

    fn choose(&self, per_million: u32) -> Vec<Arc<Mutex<Link>>> {
        let mut shared = lock(&self.shared);
        let Shared { links, draw, .. } = &mut *shared;
        links.iter().filter(|link| !lock(link).is_over() && draw.chance(per_million)).cloned().collect()
    }

    fn draw_read_size(&self, bytes_max: usize) -> usize {
        let mut shared = lock(&self.shared);
        let odd_read = shared.faults.odd_read;
        shared.draw.odd_size(bytes_max, odd_read)
    }

    fn draw_write_size(&self, bytes_max: usize) -> usize {
        let mut shared = lock(&self.shared);
        let odd_write = shared.faults.odd_write;
        shared.draw.odd_size(bytes_max, odd_write)
    }
}

impl Draw {
    /// `size`, or with a chance in a million a smaller number that is not 0.
    fn odd_size(&mut self, size: usize, per_million: u32) -> usize {
        if size > 1 && self.chance(per_million) { 1 + self.index(size - 1) } else { size }
    }
}
