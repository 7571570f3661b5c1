//! `gracchus format`, with the flags of Kafka's storage tool.

use std::path::PathBuf;

use clap::Args;

use super::folder::{Wanted, format_as};
use super::{FormatError, Formatted, FormattedVoters, voters};
use crate::config::OperatorSettings;

/// Make a data folder: give it a cluster and an id of its own, and the feature levels that the cluster starts with.
///
/// A node whose folder is empty formats it by itself when it starts. Formatting beforehand chooses the cluster's id and its features.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct FormatArgs {
    /// The settings file of the node, which names the folder: TOML, or Kafka's own server.properties.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The cluster that the folder belongs to, 22 characters of URL-safe base 64; a new one if not said.
    #[arg(long, short = 't', value_name = "ID", allow_hyphen_values = true)]
    pub cluster_id: Option<String>,
    /// Leave a folder as it is that is formatted already, rather than fail.
    #[arg(long, short = 'g')]
    pub ignore_formatted: bool,
    /// A feature's level, such as transaction.version=2; the release's default if not said. Can be repeated.
    #[arg(long = "feature", short, value_name = "NAME=LEVEL")]
    pub features: Vec<String>,
    /// The release whose feature levels are the defaults, such as 4.3-IV0.
    #[arg(long, short, value_name = "RELEASE")]
    pub release_version: Option<String>,
    /// Make this node the one controller of a new cluster, whose voters are kept in its metadata.
    #[arg(long, short, group = "controllers")]
    pub standalone: bool,
    /// The controllers of a new cluster, ID@HOST:PORT:DIRECTORY each, with commas between them.
    #[arg(long, short = 'I', value_name = "LIST", group = "controllers")]
    pub initial_controllers: Option<String>,
    /// Make a controller that joins the quorum of others, found by controller.quorum.bootstrap.servers: it votes once it has been added.
    #[arg(long, short = 'N', group = "controllers")]
    pub no_initial_controllers: bool,
}

impl FormatArgs {
    /// Formats the folder that the settings name.
    ///
    /// # Errors
    ///
    /// When the folder is formatted already (unless that is to be ignored), belongs to another cluster or node, or holds what is not ours;
    /// when features or controllers are asked for that can't be.
    pub fn run(&self, settings: &OperatorSettings) -> Result<Formatted, FormatError> {
        let wanted = self.wanted(settings)?;
        match format_as(settings, &wanted)? {
            Formatted::Already { path, identity } if !self.ignore_formatted => Err(FormatError::AlreadyFormatted { path, identity }),
            formatted @ (Formatted::Already { .. } | Formatted::New { .. }) => Ok(formatted),
        }
    }

    fn wanted(&self, settings: &OperatorSettings) -> Result<Wanted, FormatError> {
        let has_others = !settings.bootstrap_servers.is_empty();
        let is_told = self.standalone || self.initial_controllers.is_some() || self.no_initial_controllers;
        if is_told && settings.voters.are_static() {
            return Err(FormatError::VotersTwice);
        }
        if self.no_initial_controllers && !has_others {
            return Err(FormatError::NoControllers);
        }
        if !is_told && has_others && settings.roles.is_controller && !settings.voters.are_static() {
            return Err(FormatError::ControllersUnsaid);
        }
        let parse =
            |given: &str| voters::parse(given, settings.node).map_err(|reason| FormatError::Controllers { given: given.to_owned(), reason });
        let given = self.initial_controllers.as_deref().map(parse).transpose()?;
        let voters = given.or_else(|| self.no_initial_controllers.then(FormattedVoters::new));
        Ok(Wanted {
            cluster_id: self.cluster_id.clone(),
            voters,
            features: self.features.clone(),
            release: self.release_version.clone(),
            has_formatted_voters: !settings.voters.are_static(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::config::{HostPort, ServeArgs, load};
    use crate::format::open_or_format;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: FormatArgs,
    }

    fn settings(folder: &Path, voters: &str) -> OperatorSettings {
        let voters = format!("controller.quorum.voters={voters}");
        let args = ServeArgs { data_dir: Some(folder.to_owned()), settings: vec![voters], ..ServeArgs::default() };
        load(None, &args.overrides().unwrap(), BTreeMap::new()).unwrap().0
    }

    #[test]
    fn the_flags_are_those_of_kafkas_tool() {
        let long = "format --config s.properties --cluster-id -abc --ignore-formatted --feature a=1 --feature b=2 --standalone";
        let short = "format -c s.properties -t -abc -g -f a=1 -f b=2 -s";
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).unwrap().args;
        assert_eq!(parse(long), parse(short));
        assert_eq!(parse(long).features, ["a=1", "b=2"]);
        assert!(Line::try_parse_from("format --standalone --no-initial-controllers".split(' ')).is_err());
    }

    #[test]
    fn formatting_twice_is_an_error_unless_it_is_to_be_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "");
        let args = FormatArgs::default();
        let first = args.run(&settings).unwrap().to_string();
        assert!(first.ends_with("with metadata.version 4.3-IV0."), "{first}");
        assert!(matches!(args.run(&settings).unwrap_err(), FormatError::AlreadyFormatted { .. }));
        let args = FormatArgs { ignore_formatted: true, ..args };
        assert!(matches!(args.run(&settings).unwrap(), Formatted::Already { .. }));
    }

    #[test]
    fn the_one_initial_controller_names_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "");
        let given = |text: &str| FormatArgs { initial_controllers: Some(text.to_owned()), ..FormatArgs::default() };
        for text in ["1@localhost:9093", "1@localhost:JEXY6aqzQY-32P5TStzaFg", "2@localhost:9093:JEXY6aqzQY-32P5TStzaFg"] {
            assert!(matches!(given(text).run(&settings).unwrap_err(), FormatError::Controllers { .. }), "{text}");
        }
        let formatted = given("1@localhost:9093:JEXY6aqzQY-32P5TStzaFg").run(&settings).unwrap();
        assert!(formatted.to_string().contains("(directory JEXY6aqzQY-32P5TStzaFg)"));
    }

    #[test]
    fn several_initial_controllers_are_kept_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "");
        let list = "1@a:9093:JEXY6aqzQY-32P5TStzaFg,2@b:9093:MvDxzVmcRsaTz33bUuRU6A,3@c:9093:07R5amHmR32VDA6jHkGbTA";
        FormatArgs { initial_controllers: Some(list.to_owned()), ..FormatArgs::default() }.run(&settings).unwrap();
        let (opened, _) = open_or_format(&settings).unwrap();
        assert_eq!(opened.directory.to_string(), "JEXY6aqzQY-32P5TStzaFg");
        assert_eq!(opened.voters.unwrap().keys().map(|node| node.0).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_controller_that_knows_of_others_says_whether_it_joins_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path(), "");
        let joins = FormatArgs { no_initial_controllers: true, ..FormatArgs::default() };
        assert!(matches!(joins.run(&settings).unwrap_err(), FormatError::NoControllers));
        settings.bootstrap_servers.push(HostPort { host: "a".into(), port: 9093 });
        assert!(matches!(open_or_format(&settings).unwrap_err(), FormatError::UnformattedMember { .. }));
        assert!(matches!(FormatArgs::default().run(&settings).unwrap_err(), FormatError::ControllersUnsaid));
        joins.run(&settings).unwrap();
        assert_eq!(open_or_format(&settings).unwrap().0.voters, Some(FormattedVoters::new()));
    }

    #[test]
    fn a_voter_of_several_is_formatted_by_hand() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder.path().join("data"), "1@a:9093,2@b:9093");
        assert!(matches!(open_or_format(&settings).unwrap_err(), FormatError::Unformatted { voters: 2, .. }));
        FormatArgs::default().run(&settings).unwrap();
        assert!(open_or_format(&settings).unwrap().0.voters.is_none());
    }

    #[test]
    fn voters_are_named_in_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "1@localhost:9093");
        let standalone = FormatArgs { standalone: true, ..FormatArgs::default() };
        assert!(matches!(standalone.run(&settings).unwrap_err(), FormatError::VotersTwice));
        let waiting = FormatArgs { no_initial_controllers: true, ..FormatArgs::default() };
        assert!(matches!(waiting.run(&settings).unwrap_err(), FormatError::VotersTwice));
    }
}
