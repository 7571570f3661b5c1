//! Which values of its kind a setting takes. The words of a refusal are Kafka's.

use crate::config::ConfigKind;
use crate::config::value::{BadValue, Value};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Validator {
    /// All of them.
    Any,
    /// Numbers from here on.
    AtLeast(i64),
    /// Numbers from `least` to `most`, both included.
    Between { least: i64, most: i64 },
    /// Numbers from `least` to `most`, and one more.
    BetweenOr { least: i64, most: i64, or: i64 },
    /// Fractions from 0 to this.
    FractionUpTo(f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, in whatever case.
    OneOfAnyCase(&'static [&'static str]),
    /// A list of these words.
    EachOf(&'static [&'static str]),
    /// `*`, or a list of PARTITION:BROKER.
    Replicas,
}

impl Validator {
    pub(super) fn check(self, name: &str, value: &Value) -> Result<(), BadValue> {
        match self {
            Self::Any => Ok(()),
            Self::AtLeast(least) => check_range(value, least, i64::MAX),
            Self::Between { least, most } => check_range(value, least, most),
            Self::BetweenOr { least, most, or } => match value.whole() {
                Some(number) if number != or && !(least..=most).contains(&number) => {
                    Err(BadValue::new(value, format!("Value must be between {least} and {most} or equal to {or}")))
                }
                Some(_) | None => Ok(()),
            },
            Self::FractionUpTo(most) => check_fraction(value, most),
            Self::OneOf(words) => check_words(std::slice::from_ref(&value.to_string()), words),
            Self::OneOfAnyCase(words) => {
                let word = value.to_string();
                if words.iter().any(|known| known.eq_ignore_ascii_case(&word)) {
                    return Ok(());
                }
                Err(BadValue::new(word, format!("String must be one of (case insensitive): {}", words.join(", "))))
            }
            Self::EachOf(words) => check_words(value.list().unwrap_or_default(), words),
            Self::Replicas => check_replicas(name, value.list().unwrap_or_default()),
        }
    }

    pub(super) fn allowed(self, kind: ConfigKind) -> String {
        match self {
            Self::Any => kind.allowed().to_owned(),
            Self::AtLeast(least) => format!("{} of at least {least}", kind.allowed()),
            Self::Between { least, most } => format!("{} from {least} to {most}", kind.allowed()),
            Self::BetweenOr { least, most, or } => format!("{} from {least} to {most}, or {or}", kind.allowed()),
            Self::FractionUpTo(most) => format!("{} from 0 to {most}", kind.allowed()),
            Self::OneOf(words) | Self::OneOfAnyCase(words) => format!("one of {}", words.join(", ")),
            Self::EachOf(words) => format!("any of {}, with commas between them", words.join(", ")),
            Self::Replicas => "* or PARTITION:BROKER, with commas between them".to_owned(),
        }
    }
}

fn check_range(value: &Value, least: i64, most: i64) -> Result<(), BadValue> {
    match value.whole() {
        Some(number) if number < least => Err(BadValue::new(value, format!("Value must be at least {least}"))),
        Some(number) if number > most => Err(BadValue::new(value, format!("Value must be no more than {most}"))),
        Some(_) | None => Ok(()),
    }
}

fn check_fraction(value: &Value, most: f64) -> Result<(), BadValue> {
    match value.real() {
        Some(number) if number > most => Err(BadValue::new(value, format!("Value must be no more than {most}"))),
        Some(number) if number >= 0.0 => Ok(()),
        Some(_) => Err(BadValue::new(value, "Value must be at least 0".to_owned())),
        None => Ok(()),
    }
}

fn check_words(given: &[String], words: &[&str]) -> Result<(), BadValue> {
    match given.iter().find(|word| !words.contains(&word.as_str())) {
        None => Ok(()),
        Some(word) => Err(BadValue::new(word, format!("String must be one of: {}", words.join(", ")))),
    }
}

fn check_replicas(name: &str, given: &[String]) -> Result<(), BadValue> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica =
        |text: &str| text.split_once(':').is_some_and(|(partition, broker)| is_number(partition.trim()) && is_number(broker.trim()));
    if given == ["*"] || given.iter().all(|replica| is_replica(replica)) {
        return Ok(());
    }
    let format = "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
    let reason = format!("{name} must be the literal '*' or a list of replicas in the following format: {format}");
    Err(BadValue::new(format!("[{}]", given.join(", ")), reason))
}
