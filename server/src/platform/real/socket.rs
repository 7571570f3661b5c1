//! Sockets that listen.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// Listens on the first address that `address` (`host:port`) stands for and that can be had. An empty host means every interface.
pub(super) async fn bind(address: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let address = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for candidate in tokio::net::lookup_host(&address).await? {
        match listen(candidate) {
            Ok(listener) => {
                let bound = listener.local_addr()?;
                return Ok((listener, bound));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Without it the port of a node that has just stopped can't be had for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
