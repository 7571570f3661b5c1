//! A broker in a process of its own, and a client that says exactly the bytes that it is told to.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir as Folder;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that has said that it is ready.
pub(crate) struct Broker {
    process: Child,
    /// What it said.
    pub(crate) ready_line: String,
}

impl Broker {
    /// Starts one on a folder, on ports of its own.
    pub(crate) fn start(folder: &Folder) -> Self {
        let mut process = command(folder, "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut ready_line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready_line).unwrap();
        if ready_line.is_empty() {
            panic!("the broker did not start: {}", text(process.wait_with_output().unwrap().stderr));
        }
        Self { process, ready_line: ready_line.trim_end().to_owned() }
    }

    /// The value of a word of the ready line.
    pub(crate) fn said(&self, name: &str) -> &str {
        let mut words = self.ready_line.split(' ');
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap()
    }

    pub(crate) fn address(&self) -> &str {
        self.said("listeners").strip_prefix("PLAINTEXT://").unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }

    /// What the HTTP port answers: the status and the body.
    pub(crate) fn http(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.said("http")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Ends it with SIGTERM: how it ended, and what it logged.
    pub(crate) fn stop(self) -> (Option<i32>, String) {
        self.signal(rustix::process::Signal::TERM);
        self.ended()
    }

    /// Waits for its end: the exit code, and what it logged.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.process.wait().unwrap().code(), log)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a broker says that is not expected to start, and how it ends; one that does start is killed.
pub(crate) fn run(folder: &Folder, listen: &str) -> Output {
    let mut process = command(folder, listen).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready_line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready_line).unwrap();
    if !ready_line.is_empty() {
        process.kill().unwrap();
    }
    process.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn command(folder: &Folder, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gracchus"));
    command.args(["serve", "--listen", listen, "--http", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
    command
}

/// A connection that says what it is told to.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends bytes that the broker may refuse in the middle.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Sends a request whose header has no tagged fields.
    pub(crate) fn ask(&mut self, api: i16, version: i16, correlation_id: i32, body: &[u8]) {
        self.send(&frame(&[&header(api, version, correlation_id), body].concat()));
    }

    /// The next answer's bytes, behind its length.
    pub(crate) fn answer(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut answer).unwrap();
        answer
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&mut self) {
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Whether the broker closes the connection without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Whether the broker still answers here.
    pub(crate) fn is_served(&mut self) -> bool {
        self.ask(18, 0, 4711, &[]);
        self.answer().starts_with(&4711i32.to_be_bytes())
    }
}

/// A request's header with a client id, without tagged fields.
pub(crate) fn header(api: i16, version: i16, correlation_id: i32) -> Vec<u8> {
    let client_id = b"raw";
    let length = i16::try_from(client_id.len()).unwrap();
    [&api.to_be_bytes()[..], &version.to_be_bytes(), &correlation_id.to_be_bytes(), &length.to_be_bytes(), client_id].concat()
}

/// Bytes with their length before them.
pub(crate) fn frame(bytes: &[u8]) -> Vec<u8> {
    [&i32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}
