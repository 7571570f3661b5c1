//! Subscriptions by regular expression (KIP-848): what RE2 takes, matched against whole names of topics.
//!
//! The engine runs in time linear to a name, as RE2 does, and takes nothing that RE2 would have to refuse for that: no look-around, no
//! back-references. Where its syntax is another than RE2's, the expression is put into its own: `\Q` up to `\E` quotes, and within brackets a
//! bracket or a doubled sign means itself. Classes like `\w` are of ASCII, as RE2's are: names are, and the engine's own take a hundred times
//! as much once they are compiled.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};

use crate::ids::TopicName;
use crate::limits::{PATTERN_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX};
use crate::metadata::Image;

/// An expression that is sound.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("it is longer than {PATTERN_BYTES_MAX} bytes"));
        }
        // By itself first: what is unbalanced is not to be mended by the brackets around it.
        let own = translated(text);
        regex_of(&own)?;
        regex_of(&format!("^(?:{own})$")).map(Self)
    }

    /// The topics that there are by such a name.
    pub(super) fn matches(&self, image: &Image) -> BTreeSet<TopicName> {
        image.topic_ids.keys().filter(|name| self.0.is_match(name.as_str())).cloned().collect()
    }
}

fn regex_of(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(PATTERN_COMPILED_BYTES_MAX).dfa_size_limit(PATTERN_COMPILED_BYTES_MAX).build();
    // Its words show the expression over several lines, and say at last what is wrong.
    built.map_err(|error| error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

/// An expression of RE2's in the engine's own syntax.
fn translated(text: &str) -> String {
    let mut own = String::new();
    let mut rest = text.chars().peekable();
    // Inside of brackets: how many characters of the class have come.
    let mut class: Option<usize> = None;
    while let Some(next) = rest.next() {
        match (next, class) {
            ('\\', None) if rest.next_if_eq(&'Q').is_some() => quote(&mut rest, &mut own),
            ('\\', _) => {
                let escaped = rest.next();
                match escaped.and_then(ascii_class) {
                    Some(ascii) => own.push_str(ascii),
                    None => own.extend([next].into_iter().chain(escaped)),
                }
                class = class.map(|count| count + 1);
            }
            ('[', None) => {
                own.push(next);
                own.extend(rest.next_if_eq(&'^'));
                // A bracket that closes means itself where it comes first.
                if rest.next_if_eq(&']').is_some() {
                    own.push_str("\\]");
                }
                class = Some(0);
            }
            (']', Some(_)) => {
                own.push(next);
                class = None;
            }
            ('[', Some(_)) if rest.peek() == Some(&':') => {
                own.push(next);
                for named in rest.by_ref() {
                    own.push(named);
                    if named == ']' {
                        break;
                    }
                }
                class = Some(1);
            }
            ('[' | '&' | '~', Some(_)) => {
                own.push('\\');
                own.push(next);
                class = Some(1);
            }
            _ => own.push(next),
        }
    }
    own
}

/// What RE2 means by a class that is written as one letter. It may stand within another.
fn ascii_class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => "[\\t\\n\\f\\r ]",
        'S' => "[^\\t\\n\\f\\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

fn quote(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, own: &mut String) {
    let mut quoted = String::new();
    while let Some(next) = rest.next() {
        if next == '\\' && rest.next_if_eq(&'E').is_some() {
            break;
        }
        quoted.push(next);
    }
    own.push_str(&regex::escape(&quoted));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(text: &str) -> Vec<String> {
        let mut image = Image::default();
        for name in ["orders", "orders-eu", "Orders", "a.b", "axb", "a[b", "a&b", "42"] {
            image.topic_ids.insert(TopicName::from(name), crate::ids::TopicId::default());
        }
        Pattern::parse(text).unwrap().matches(&image).iter().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn an_expression_stands_for_whole_names() {
        assert_eq!(matched("orders"), ["orders"]);
        assert_eq!(matched("orders.*"), ["orders", "orders-eu"]);
        assert_eq!(matched("order"), [""; 0]);
        assert_eq!(matched("orders|4"), ["orders"], "both sides are whole names");
        assert_eq!(matched("(?i)orders"), ["Orders", "orders"]);
        assert_eq!(matched("\\d+"), ["42"]);
    }

    #[test]
    fn res_own_syntax_is_understood() {
        assert_eq!(matched("\\Qa.b\\E"), ["a.b"]);
        assert_eq!(matched("\\Qa.\\Eb"), ["a.b"]);
        assert_eq!(matched("a[[]b"), ["a[b"]);
        assert_eq!(matched("a[[.]b"), ["a.b", "a[b"]);
        assert_eq!(matched("a[&&]b"), ["a&b"]);
        assert_eq!(matched("a[[:punct:]]b"), ["a&b", "a.b", "a[b"]);
        assert_eq!(matched("[^]a]*"), ["42", "Orders", "orders", "orders-eu"]);
        assert_eq!(matched("a[\\]x]b"), ["axb"]);
        assert_eq!(matched("(?P<name>orders)"), ["orders"]);
        assert_eq!(matched("\\p{Lu}rders"), ["Orders"]);
        assert_eq!(matched("[\\w-]+-\\w{2}"), ["orders-eu"]);
        assert_eq!(matched("a[^\\w.]b"), ["a&b", "a[b"]);
        assert_eq!(matched("\\w{100}\\W\\S\\s\\D"), [""; 0], "it takes little");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["[", "(", "a)(b", "*", "(?=a)", "(a)\\1", "(?<!a)b", "[z-a]"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert!(Pattern::parse(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_err());
        assert!(Pattern::parse("((((a{1000}){1000}){1000}){1000})").is_err(), "it would take too much");
    }
}
