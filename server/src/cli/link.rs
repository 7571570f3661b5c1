//! One connection to one broker, with versions agreed and every wait bounded.

use std::io;
use std::time::Duration;

use gracchus_net::client::{ClientError, Connection, ServedVersions};
use kafka_wire::{KafkaRequest, RequestResponsePair};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::error::CliError;

/// What brokers are told of who is calling.
const CLIENT_ID: &str = "gracchus";

/// How long to wait for a connection: a broker that is up answers at once.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// A connection to a broker.
#[derive(Debug)]
pub(crate) struct Link {
    connection: Connection<OwnedReadHalf, OwnedWriteHalf>,
    versions: ServedVersions,
    address: String,
    answer_wait: Duration,
}

/// Why a broker can't be spoken with.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    /// Nobody is there.
    #[error(
        "no broker answers at {address} ({error}). Start one with `gracchus serve --listen {address}`, or name another with --bootstrap HOST:PORT"
    )]
    Connect {
        /// Where.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// No answer came in time.
    #[error("the broker at {address} did not answer {api} within {seconds} s. See its log, or allow more with --timeout SECONDS")]
    Timeout {
        /// Where.
        address: String,
        /// To which request.
        api: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection is of no use.
    #[error("broker {address}: {error}")]
    Client {
        /// Where.
        address: String,
        /// What is wrong.
        error: ClientError,
    },
}

impl LinkError {
    /// Whether another connection may do better.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } => true,
            Self::Client { error, .. } => !matches!(error, ClientError::Unsupported { .. } | ClientError::Encode(_)),
        }
    }
}

impl From<LinkError> for CliError {
    fn from(error: LinkError) -> Self {
        Self::Failure(error.to_string())
    }
}

impl Link {
    /// Connects and agrees on versions. An answer to any request may take `answer_wait`.
    pub(crate) async fn open(address: &str, answer_wait: Duration) -> Result<Self, LinkError> {
        let stream = connect(address).await?;
        let (reader, writer) = stream.into_split();
        let mut connection = Connection::new(reader, writer, CLIENT_ID);
        let versions = match timeout(answer_wait, connection.negotiate()).await {
            Ok(Ok(versions)) => versions,
            Ok(Err(error)) => return Err(LinkError::Client { address: address.to_owned(), error }),
            Err(_) => return Err(LinkError::Timeout { address: address.to_owned(), api: "ApiVersions", seconds: answer_wait.as_secs() }),
        };
        Ok(Self { connection, versions, address: address.to_owned(), answer_wait })
    }

    /// Where the broker is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The newest version that both know, `ceiling` at most.
    pub(crate) fn common_up_to<Q: KafkaRequest>(&self, ceiling: i16) -> Result<i16, LinkError> {
        self.versions.common_up_to::<Q>(ceiling).map_err(|error| self.of_client(error))
    }

    /// Asks at the newest version that both know.
    pub(crate) async fn call<Q: RequestResponsePair>(&mut self, request: &Q) -> Result<Q::Response, LinkError> {
        self.send(request).await?;
        self.receive::<Q>().await
    }

    /// Asks at the newest version that both know, `ceiling` at most.
    pub(crate) async fn call_up_to<Q: RequestResponsePair>(&mut self, ceiling: i16, request: &Q) -> Result<Q::Response, LinkError> {
        self.send_at(self.common_up_to::<Q>(ceiling)?, request).await?;
        self.receive::<Q>().await
    }

    /// Sends a request whose answer is received later.
    pub(crate) async fn send<Q: RequestResponsePair>(&mut self, request: &Q) -> Result<(), LinkError> {
        self.send_at(self.common_up_to::<Q>(i16::MAX)?, request).await
    }

    async fn send_at<Q: RequestResponsePair>(&mut self, version: i16, request: &Q) -> Result<(), LinkError> {
        match timeout(self.answer_wait, self.connection.send(version, request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.of_client(error)),
            Err(_) => Err(self.of_timeout::<Q>()),
        }
    }

    /// Sends a request that is not answered.
    pub(crate) async fn send_unanswered<Q: RequestResponsePair>(&mut self, request: &Q) -> Result<(), LinkError> {
        let version = self.versions.common::<Q>().map_err(|error| self.of_client(error))?;
        match timeout(self.answer_wait, self.connection.send_unanswered(version, request)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.of_client(error)),
            Err(_) => Err(self.of_timeout::<Q>()),
        }
    }

    /// Sends a request that was encoded before.
    pub(crate) async fn send_encoded<Q: RequestResponsePair>(&mut self, version: i16, frame: &mut [u8]) -> Result<(), LinkError> {
        match timeout(self.answer_wait, self.connection.send_encoded::<Q>(version, frame)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.of_client(error)),
            Err(_) => Err(self.of_timeout::<Q>()),
        }
    }

    /// Sends a request that was encoded before and is not answered.
    pub(crate) async fn send_encoded_unanswered<Q: RequestResponsePair>(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        match timeout(self.answer_wait, self.connection.send_encoded_unanswered(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.of_client(error)),
            Err(_) => Err(self.of_timeout::<Q>()),
        }
    }

    /// The answer to the earliest request that has none. Dropped in the middle, it loses nothing.
    pub(crate) async fn receive<Q: RequestResponsePair>(&mut self) -> Result<Q::Response, LinkError> {
        match timeout(self.answer_wait, self.connection.receive::<Q>()).await {
            Ok(Ok((_, response))) => Ok(response),
            Ok(Err(error)) => Err(self.of_client(error)),
            Err(_) => Err(self.of_timeout::<Q>()),
        }
    }

    fn of_client(&self, error: ClientError) -> LinkError {
        LinkError::Client { address: self.address.clone(), error }
    }

    fn of_timeout<Q: KafkaRequest>(&self) -> LinkError {
        let api = Q::NAME.strip_suffix("Request").unwrap_or(Q::NAME);
        LinkError::Timeout { address: self.address.clone(), api, seconds: self.answer_wait.as_secs() }
    }
}

/// A stream to `address`, which sends at once what is written.
pub(crate) async fn connect(address: &str) -> Result<TcpStream, LinkError> {
    let failed = |error| LinkError::Connect { address: address.to_owned(), error };
    let stream = match timeout(CONNECT_WAIT, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(failed)?,
        Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
    };
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}
