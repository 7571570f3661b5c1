//! A setting's value, parsed as Kafka parses it, and written back as Kafka shows it.

use std::collections::BTreeSet;
use std::fmt;

use super::ConfigKind;

/// A value of its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// true or false.
    Boolean(bool),
    /// A whole number.
    Whole(i64),
    /// A decimal fraction.
    Real(f64),
    /// Text, without spaces around it.
    Text(String),
    /// Words, each once.
    List(Vec<String>),
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// The value at fault: of a list, the word.
    pub value: String,
    /// What is wrong with it, in Kafka's words.
    pub reason: String,
}

impl BadValue {
    pub(super) fn new(value: impl fmt::Display, reason: String) -> Self {
        Self { value: value.to_string(), reason }
    }

    /// The refusal as Kafka words it.
    #[must_use]
    pub fn of(&self, name: &str) -> String {
        format!("Invalid value {} for configuration {name}: {}", self.value, self.reason)
    }
}

impl Value {
    /// Reads a value; spaces around it and around the words of a list mean nothing.
    pub fn parse(kind: ConfigKind, text: &str) -> Result<Self, BadValue> {
        let trimmed = text.trim();
        let not_a_number = |kind: &str| BadValue::new(text, format!("Not a number of type {kind}"));
        match kind {
            ConfigKind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
                "true" => Ok(Self::Boolean(true)),
                "false" => Ok(Self::Boolean(false)),
                _ => Err(BadValue::new(text, "Expected value to be either true or false".to_owned())),
            },
            ConfigKind::Short => trimmed.parse::<i16>().map(|number| Self::Whole(number.into())).map_err(|_| not_a_number("SHORT")),
            ConfigKind::Int => trimmed.parse::<i32>().map(|number| Self::Whole(number.into())).map_err(|_| not_a_number("INT")),
            ConfigKind::Long => trimmed.parse().map(Self::Whole).map_err(|_| not_a_number("LONG")),
            ConfigKind::Double => match trimmed.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Self::Real(number)),
                Ok(_) | Err(_) => Err(not_a_number("DOUBLE")),
            },
            ConfigKind::List => Ok(Self::List(words(trimmed))),
            ConfigKind::String | ConfigKind::Class | ConfigKind::Password | ConfigKind::Unknown => Ok(Self::Text(trimmed.to_owned())),
        }
    }

    /// true or false, if it is that.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(*value) } else { None }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn whole(&self) -> Option<i64> {
        if let Self::Whole(number) = self { Some(*number) } else { None }
    }

    /// The fraction, if it is one.
    #[must_use]
    pub fn real(&self) -> Option<f64> {
        if let Self::Real(number) = self { Some(*number) } else { None }
    }

    /// The words, if it is a list.
    #[must_use]
    pub fn list(&self) -> Option<&[String]> {
        if let Self::List(words) = self { Some(words) } else { None }
    }
}

/// The words of a list, each where it stands first.
fn words(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut known = BTreeSet::new();
    text.split(',').map(str::trim).filter(|word| known.insert(*word)).map(str::to_owned).collect()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => write_real(*number, f),
            Self::Text(text) => text.fmt(f),
            Self::List(words) => words.join(",").fmt(f),
        }
    }
}

/// As Java writes a double: an exponent from ten million on and below a thousandth, and always a fraction.
fn write_real(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if number == 0.0 || (1e-3..1e7).contains(&number.abs()) {
        return write!(f, "{number:?}");
    }
    let scientific = format!("{number:E}");
    match scientific.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => write!(f, "{mantissa}.0E{exponent}"),
        Some(_) | None => f.write_str(&scientific),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: ConfigKind, text: &str) -> String {
        Value::parse(kind, text).unwrap().to_string()
    }

    #[test]
    fn values_are_shown_as_kafka_shows_them() {
        assert_eq!(shown(ConfigKind::Long, " 077 "), "77");
        assert_eq!(shown(ConfigKind::Long, "+5"), "5");
        assert_eq!(shown(ConfigKind::Boolean, "TRUE"), "true");
        assert_eq!(shown(ConfigKind::List, " delete, compact"), "delete,compact");
        assert_eq!(shown(ConfigKind::List, "delete,delete"), "delete");
        assert_eq!(shown(ConfigKind::List, ""), "");
        assert_eq!(shown(ConfigKind::String, " gzip "), "gzip");
    }

    #[test]
    fn a_list_keeps_its_order_however_long() {
        let words: Vec<String> = (0..100_000).rev().map(|word| word.to_string()).collect();
        let once = words.join(",");
        assert_eq!(shown(ConfigKind::List, &format!("{once},{once}")), once);
    }

    #[test]
    fn fractions_are_shown_as_java_shows_them() {
        for (text, java) in [("1e-3", "0.001"), (" .50 ", "0.5"), ("1", "1.0"), ("1e-4", "1.0E-4"), ("12345678", "1.2345678E7")] {
            assert_eq!(shown(ConfigKind::Double, text), java);
        }
        assert_eq!(shown(ConfigKind::Double, "1.7976931348623157E308"), "1.7976931348623157E308");
    }

    #[test]
    fn refusals_are_in_kafkas_words() {
        let refusal = |kind, text| Value::parse(kind, text).unwrap_err().of("x");
        assert_eq!(refusal(ConfigKind::Long, "abc"), "Invalid value abc for configuration x: Not a number of type LONG");
        assert_eq!(refusal(ConfigKind::Int, "99999999999"), "Invalid value 99999999999 for configuration x: Not a number of type INT");
        assert_eq!(refusal(ConfigKind::Long, ""), "Invalid value  for configuration x: Not a number of type LONG");
        assert_eq!(refusal(ConfigKind::Boolean, "yes"), "Invalid value yes for configuration x: Expected value to be either true or false");
    }
}
