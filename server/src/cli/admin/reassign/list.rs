//! Shows moves that are under way.

use std::io;

use super::super::super::cluster::Cluster;
use super::super::super::error::CliError;
use super::super::super::output::{say, write_json};
use super::super::super::table::{Align, Table};
use super::super::super::text::show_nodes;
use super::super::under_way::{self, UnderWay};

pub(super) async fn run(cluster: &mut Cluster, as_json: bool) -> Result<(), CliError> {
    let under_way = under_way::list(cluster, None).await?;
    if as_json {
        return write_json(&under_way);
    }
    if under_way.is_empty() {
        return say("no partition is being moved");
    }
    let mut table = Table::new(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("REPLICAS", Align::Left),
        ("ADDING", Align::Left),
        ("REMOVING", Align::Left),
    ]);
    for UnderWay { topic, partition, replicas, adding, removing } in under_way {
        table.row([topic, partition.to_string(), show_nodes(&replicas), show_nodes(&adding), show_nodes(&removing)]);
    }
    table.write(&mut io::stdout().lock()).map_err(CliError::output)
}
