//! The simulator: the node of `gracchus-server` under madsim, with faults drawn from a seed and checkers that watch.

#[cfg(not(madsim))]
compile_error!(
    "gracchus-sim needs `--cfg madsim`, which .cargo/config.toml sets: an exported RUSTFLAGS or RUSTDOCFLAGS overrides it (unset it, and deny warnings with `cargo clippy -- -D warnings`)"
);

pub mod bugs;
pub mod campaign;
pub mod checkers;
pub mod clients;
pub mod draw;
pub mod explain;
pub mod history;
mod nemesis;
pub mod plan;
pub mod platform;
pub mod ranges;
pub mod report;
pub mod shrink;
pub mod trace;
pub mod world;
