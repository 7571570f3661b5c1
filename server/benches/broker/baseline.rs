//! What the machine does without a broker.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::stats::to_f64;

/// As much as `gracchus perf consume` reads at once.
const RECEIVE_BYTES: usize = 256 << 10;

/// How a file gets onto a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sending {
    /// In the kernel.
    Sendfile,
    /// Through a buffer of 1 MiB.
    Copy,
}

/// How fast a file was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) bytes_per_s: f64,
    pub(crate) cpu_s_per_gb: f64,
}

/// Sends a file over loopback to somebody who throws it away.
pub(crate) fn send_file(path: &Path, sending: Sending) -> Sent {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut file = File::open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let sender = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let before = thread_cpu_s();
        match sending {
            Sending::Sendfile => sendfile_all(&file, &stream, length),
            Sending::Copy => copy_all(&mut file, &mut stream),
        }
        thread_cpu_s() - before
    });
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let received = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut stream = BufReader::with_capacity(RECEIVE_BYTES, stream);
        let mut received = 0;
        loop {
            let there = stream.fill_buf().await.unwrap().len();
            if there == 0 {
                return received;
            }
            stream.consume(there);
            received += there as u64;
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let cpu_s = sender.join().unwrap();
    assert_eq!(received, length);
    Sent { bytes_per_s: to_f64(length) / seconds, cpu_s_per_gb: cpu_s / (to_f64(length) / 1e9) }
}

/// Takes `bytes` from loopback and appends them to a file in `folder` as they come, in pieces of 64 KiB: what keeping records costs at
/// least, in CPU seconds a GB.
pub(crate) fn keep_cpu_s_per_gb(folder: &Path, bytes: u64) -> f64 {
    const PIECE_BYTES: usize = 64 << 10;
    let path = folder.join("kept");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let keeper = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let before = thread_cpu_s();
        let mut buffer = vec![0; PIECE_BYTES];
        let mut kept = 0;
        loop {
            let read = stream.read(&mut buffer).unwrap();
            if read == 0 {
                return (kept, thread_cpu_s() - before);
            }
            file.write_all_at(&buffer[..read], kept).unwrap();
            kept += read as u64;
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    let piece = vec![b'x'; PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        let next = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        stream.write_all(&piece[..next]).unwrap();
        left -= next as u64;
    }
    drop(stream);
    let (kept, cpu_s) = keeper.join().unwrap();
    assert_eq!(kept, bytes);
    std::fs::remove_file(path).unwrap();
    cpu_s / (to_f64(bytes) / 1e9)
}

fn sendfile_all(file: &File, stream: &TcpStream, length: u64) {
    const AT_ONCE: usize = 8 << 20;
    let mut sent = 0;
    while sent < length {
        rustix::fs::sendfile(stream, file, Some(&mut sent), AT_ONCE).unwrap();
    }
}

fn copy_all(file: &mut File, stream: &mut TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).unwrap();
        if read == 0 {
            return;
        }
        stream.write_all(&buffer[..read]).unwrap();
    }
}

fn thread_cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    to_f64(time.tv_sec.unsigned_abs()) + to_f64(time.tv_nsec.unsigned_abs()) / 1e9
}

/// Round trips of `bytes` over loopback, in microseconds. Before it answers, the server does what it is told to.
fn round_trips_us(bytes: usize, count: usize, mut serve: impl FnMut(&[u8]) + Send + 'static) -> Vec<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut buffer = vec![0; bytes];
        while stream.read_exact(&mut buffer).is_ok() {
            serve(&buffer);
            stream.write_all(&buffer).unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; bytes];
    let mut round_trip = || {
        let started = Instant::now();
        stream.write_all(&buffer).unwrap();
        stream.read_exact(&mut buffer).unwrap();
        started.elapsed().as_secs_f64() * 1e6
    };
    let times = (0..count).map(|_| round_trip()).collect();
    drop(stream);
    server.join().unwrap();
    times
}

/// Round trips of `bytes` over loopback, in microseconds.
pub(crate) fn echo_us(bytes: usize, count: usize) -> Vec<f64> {
    round_trips_us(bytes, count, |_| {})
}

/// Round trips of `bytes` over loopback, each appended to a file in `folder` with an fdatasync before it is answered, in microseconds. One
/// thread does it all: what a server that keeps records can at best take. It is more than the two by themselves, since a disk that is asked
/// now and then answers later than one that is kept busy.
pub(crate) fn echo_sync_us(folder: &Path, bytes: usize, count: usize) -> Vec<f64> {
    let path = folder.join("echoed");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap();
    let mut at = 0;
    let times = round_trips_us(bytes, count, move |record| {
        file.write_all_at(record, at).unwrap();
        rustix::fs::fdatasync(&file).unwrap();
        at += record.len() as u64;
    });
    std::fs::remove_file(path).unwrap();
    times
}

/// Appends of `bytes` to a file in `folder`, each with an fdatasync, in microseconds; to one that is allocated ahead, if so said.
pub(crate) fn append_sync_us(folder: &Path, bytes: usize, count: usize, allocated: bool) -> Vec<f64> {
    let path = folder.join("appended");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap();
    if allocated {
        file.write_all_at(&vec![0; bytes * count], 0).unwrap();
        file.sync_all().unwrap();
    }
    let record = vec![1; bytes];
    let mut at = 0;
    let mut append = || {
        let started = Instant::now();
        file.write_all_at(&record, at).unwrap();
        rustix::fs::fdatasync(&file).unwrap();
        at += record.len() as u64;
        started.elapsed().as_secs_f64() * 1e6
    };
    let times = (0..count).map(|_| append()).collect();
    std::fs::remove_file(path).unwrap();
    times
}
