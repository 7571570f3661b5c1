//! What is ours alone, beside `durability` of topics and its default `log.durability`.

use super::Definition;
use super::build::{boolean, int, long, string};

pub(super) const OWN: &[Definition] =
    &[
        string("http.listen").kept().doc("Where metrics and health are served over HTTP, HOST:PORT."),
        boolean("socket.send.copy")
            .default("false")
            .kept()
            .doc("Whether records are copied to sockets through memory instead of sent by sendfile."),
        int("socket.in.flight.requests.max")
            .default("100")
            .at_least(1)
            .kept()
            .doc("Requests of one connection that wait for their answers at most."),
        int("store.writers").default("4").between(1, 64).kept().doc("Tasks that append and sync; logs are spread over them."),
        long("store.unsynced.bytes.max")
            .default("33554432")
            .at_least(1_048_576)
            .kept()
            .doc("Bytes of a replicated log that are not on disk before it is synced. Past eight times as many its appends wait for the disk."),
        long("store.snapshot.interval.bytes").default("67108864").at_least(1024).kept().doc(
            "Bytes appended to a log before the state of its producers is kept anew: what recovery reads at most, beside what is not synced.",
        ),
        int("store.open.files.max").default("4096").at_least(16).kept().doc("Files kept open for reuse."),
    ];
