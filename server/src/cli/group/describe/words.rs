//! Groups in words and columns.

use std::io::{self, Write};

use super::super::super::table::{Align, Table};
use super::super::described::{Kind, Share};
use super::{Described, Partition};

/// How far each has come.
pub(super) fn partitions(groups: &[Described]) -> io::Result<()> {
    write_each(groups, |group, out| match group.partitions.as_deref().unwrap_or_default() {
        [] => writeln!(out, "  nothing was committed, and nothing is assigned"),
        partitions => partition_table(partitions).write(out),
    })
}

/// Who is in each.
pub(super) fn members(groups: &[Described]) -> io::Result<()> {
    write_each(groups, |group, out| if group.members.is_empty() { writeln!(out, "  no members") } else { member_table(group).write(out) })
}

/// What each does, on a line.
pub(super) fn states(groups: &[Described]) -> io::Result<()> {
    let mut table = Table::new(&[
        ("GROUP", Align::Left),
        ("TYPE", Align::Left),
        ("STATE", Align::Left),
        ("MEMBERS", Align::Right),
        ("ASSIGNOR", Align::Left),
        ("EPOCH", Align::Right),
        ("ASSIGNED", Align::Right),
        ("COORDINATOR", Align::Left),
    ]);
    for group in groups {
        table.row([
            group.group.clone(),
            group.kind.name().to_owned(),
            group.state.clone(),
            group.members.len().to_string(),
            shown(group.assignor.as_ref()),
            shown(group.group_epoch.as_ref()),
            shown(group.assignment_epoch.as_ref()),
            format!("{} at {}", group.coordinator.id, group.coordinator.address),
        ]);
    }
    table.write(&mut io::stdout().lock())
}

fn write_each(groups: &[Described], write: impl Fn(&Described, &mut io::StdoutLock<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (at, group) in groups.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let lag = group.lag.map_or_else(String::new, |lag| format!(", lag {lag}"));
        let (kind, id) = (group.kind.name(), group.coordinator.id);
        writeln!(out, "group {}  ({kind}, {}, coordinator {id}{lag})", group.group, group.state)?;
        write(group, &mut out)?;
    }
    Ok(())
}

fn partition_table(partitions: &[Partition]) -> Table {
    let mut table = Table::new(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("COMMITTED", Align::Right),
        ("END", Align::Right),
        ("LAG", Align::Right),
        ("MEMBER", Align::Left),
        ("CLIENT", Align::Left),
        ("HOST", Align::Left),
    ]);
    for partition in partitions {
        table.row([
            partition.topic.clone(),
            partition.partition.to_string(),
            shown(partition.committed_offset.as_ref()),
            shown(partition.end_offset.as_ref()),
            shown(partition.lag.as_ref()),
            shown(partition.member.as_ref()),
            shown(partition.client.as_ref()),
            shown(partition.host.as_ref()),
        ]);
    }
    table
}

fn member_table(group: &Described) -> Table {
    let is_consumer = group.kind == Kind::Consumer;
    let mut columns = vec![("MEMBER", Align::Left), ("INSTANCE", Align::Left), ("CLIENT", Align::Left), ("HOST", Align::Left)];
    if is_consumer {
        columns.push(("EPOCH", Align::Right));
    }
    columns.extend([("PARTITIONS", Align::Right), ("ASSIGNED", Align::Left)]);
    if is_consumer {
        columns.push(("TARGET", Align::Left));
    }
    let mut table = Table::new(&columns);
    for member in &group.members {
        let count: usize = member.assigned.iter().map(|share| share.partitions.len()).sum();
        let mut row = vec![member.member.clone(), shown(member.instance.as_ref()), member.client.clone(), member.host.clone()];
        row.extend(member.epoch.filter(|_| is_consumer).map(|epoch| epoch.to_string()));
        row.extend([count.to_string(), shares(&member.assigned)]);
        row.extend(member.target.as_ref().filter(|_| is_consumer).map(|target| shares(target)));
        table.row(row);
    }
    table
}

/// As partitions are named on the command line.
fn shares(shares: &[Share]) -> String {
    let named = shares.iter().map(|share| {
        let numbers: Vec<String> = share.partitions.iter().map(i32::to_string).collect();
        format!("{}:{}", share.topic, numbers.join(","))
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() { "-".to_owned() } else { named.join(" ") }
}

fn shown(what: Option<&impl ToString>) -> String {
    what.map_or_else(|| "-".to_owned(), ToString::to_string)
}
