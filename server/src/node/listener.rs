//! Takes connections in.

use std::sync::Arc;

use gracchus_core::boundary::Door;
use gracchus_core::time::Wait;
use tokio::select;
use tokio::sync::mpsc;

use super::connection;
use super::shared::Shared;
use super::turn::FromConnection;
use crate::platform::Platform;

/// After a connection could not be taken (too many open files, say) how long to leave the next one waiting.
const PAUSE_MS: i64 = 50;

/// Takes connections until the node closes.
pub(super) async fn accept<P: Platform>(
    shared: Arc<Shared<P>>,
    mut listener: P::Listener,
    name: Arc<str>,
    door: Door,
    turn: mpsc::Sender<FromConnection>,
) {
    loop {
        let accepted = select! {
            biased;
            () = shared.closing.given() => return,
            accepted = shared.platform.accept(&mut listener) => accepted,
        };
        let now = shared.platform.now().monotonic;
        match accepted {
            Ok((reader, writer, peer)) => match shared.admit() {
                Some((id, permit)) => {
                    let origin = connection::Origin { id, peer, host: peer.ip().to_string().into(), listener: Arc::clone(&name), door };
                    let serve = connection::serve(Arc::clone(&shared), origin, reader, writer, turn.clone());
                    let until_closed = async move {
                        serve.await;
                        drop(permit);
                    };
                    shared.platform.spawn("connection", until_closed);
                }
                None => {
                    shared.counters.connections_refused.increment();
                    shared.complaints.write(now, || {
                        format!("closed the connection from {peer}: there are {} already (max.connections)", shared.connections_max())
                    });
                }
            },
            Err(error) => {
                shared.complaints.write(now, || format!("could not take a connection on {name}: {error}"));
                shared.platform.sleep_until(now.after(Wait::from_ms(PAUSE_MS))).await;
            }
        }
    }
}
