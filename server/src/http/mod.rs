//! Metrics and health over HTTP, outside the node: what it serves is read from the node's counters, and from a look at the node.
//!
//! `/metrics` is for Prometheus; `/healthz` says whether it has to be restarted, `/readyz` whether it serves clients.

mod compaction;
mod groups;
mod metrics;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use self::metrics::{Exporter, MEDIA_TYPE};
use crate::node::{Inspection, Probe, Ready, Snapshot};

/// How long a node may take to answer before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is served. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Site(Arc<Health>);

#[derive(Debug, Default)]
struct Health {
    /// Set once the node serves clients.
    node: OnceLock<Watched>,
    is_stopping: AtomicBool,
}

#[derive(Debug)]
struct Watched {
    exporter: Exporter,
    probe: Probe,
}

impl Site {
    /// Says that the node serves clients, and how to look at it.
    pub fn is_ready(&self, ready: Ready) {
        let Ready { counters, probe, listeners: _ } = ready;
        self.0.node.get_or_init(|| Watched { exporter: Exporter::new(counters), probe });
    }

    /// Says that the node has been asked to stop.
    pub fn is_stopping(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Listens on `address` (`host:port`, port 0 for any free one) and serves from then on.
    ///
    /// # Errors
    /// When the address can't be had.
    pub async fn serve(&self, address: &str) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(health))
            .route("/readyz", get(readiness))
            .with_state(self.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!("metrics and health are no longer served: {error}");
            }
        });
        Ok(bound)
    }
}

/// Looks at the node; none if it does not answer in time.
async fn look(node: &Watched) -> Option<Snapshot> {
    tokio::time::timeout(PATIENCE, node.probe.look()).await.ok().flatten()
}

/// The same, closely.
async fn inspect(node: &Watched) -> Option<Inspection> {
    tokio::time::timeout(PATIENCE, node.probe.inspect()).await.ok().flatten()
}

async fn metrics(State(site): State<Site>) -> Response {
    let Some(node) = site.0.node.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response();
    };
    let (snapshot, inspection) = (look(node).await, inspect(node).await);
    ([(CONTENT_TYPE, MEDIA_TYPE)], node.exporter.render(snapshot, inspection)).into_response()
}

/// A node that starts or stops is healthy for as long as its process answers.
async fn health(State(site): State<Site>) -> (StatusCode, &'static str) {
    match site.0.node.get() {
        Some(node) if !site.0.is_stopping.load(Ordering::Relaxed) && look(node).await.is_none() => (StatusCode::SERVICE_UNAVAILABLE, "stuck\n"),
        Some(_) | None => (StatusCode::OK, "ok\n"),
    }
}

async fn readiness(State(site): State<Site>) -> (StatusCode, &'static str) {
    if site.0.is_stopping.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    let Some(node) = site.0.node.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n");
    };
    match look(node).await {
        Some(Snapshot { is_serving: true, .. }) => (StatusCode::OK, "ready\n"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not serving\n"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "stuck\n"),
    }
}
