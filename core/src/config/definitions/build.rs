//! The words that the tables are written in: `int("num.partitions").default("1").at_least(1).kept().doc("…")`.

use super::validator::Validator;
use super::{Definition, Effect, Synonym, Update};
use crate::config::ConfigKind;

pub(super) const fn boolean(name: &'static str) -> Definition {
    definition(name, ConfigKind::Boolean)
}

pub(super) const fn string(name: &'static str) -> Definition {
    definition(name, ConfigKind::String)
}

pub(super) const fn int(name: &'static str) -> Definition {
    definition(name, ConfigKind::Int)
}

pub(super) const fn short(name: &'static str) -> Definition {
    definition(name, ConfigKind::Short)
}

pub(super) const fn long(name: &'static str) -> Definition {
    definition(name, ConfigKind::Long)
}

pub(super) const fn double(name: &'static str) -> Definition {
    definition(name, ConfigKind::Double)
}

pub(super) const fn list(name: &'static str) -> Definition {
    definition(name, ConfigKind::List)
}

pub(super) const fn class(name: &'static str) -> Definition {
    definition(name, ConfigKind::Class)
}

pub(super) const fn password(name: &'static str) -> Definition {
    definition(name, ConfigKind::Password)
}

/// A broker's setting that means the same as the topic's.
pub(super) const fn same(name: &'static str) -> Synonym {
    Synonym { name, unit: 1 }
}

/// A broker's setting in minutes, the topic's being in milliseconds.
pub(super) const fn minutes(name: &'static str) -> Synonym {
    Synonym { name, unit: 60_000 }
}

/// A broker's setting in hours, the topic's being in milliseconds.
pub(super) const fn hours(name: &'static str) -> Synonym {
    Synonym { name, unit: 3_600_000 }
}

const fn definition(name: &'static str, kind: ConfigKind) -> Definition {
    Definition {
        name,
        kind,
        default: None,
        synonyms: &[],
        update: Update::ReadOnly,
        effect: Effect::Inert,
        is_internal: false,
        is_only_dynamic: false,
        documentation: "",
        validator: Validator::Any,
    }
}

impl Definition {
    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(super) const fn at_least(mut self, least: i64) -> Self {
        self.validator = Validator::AtLeast(least);
        self
    }

    pub(super) const fn between(mut self, least: i64, most: i64) -> Self {
        self.validator = Validator::Between { least, most };
        self
    }

    pub(super) const fn between_or(mut self, least: i64, most: i64, or: i64) -> Self {
        self.validator = Validator::BetweenOr { least, most, or };
        self
    }

    pub(super) const fn fraction_up_to(mut self, most: f64) -> Self {
        self.validator = Validator::FractionUpTo(most);
        self
    }

    pub(super) const fn one_of(mut self, words: &'static [&'static str]) -> Self {
        self.validator = Validator::OneOf(words);
        self
    }

    pub(super) const fn one_of_any_case(mut self, words: &'static [&'static str]) -> Self {
        self.validator = Validator::OneOfAnyCase(words);
        self
    }

    pub(super) const fn each_of(mut self, words: &'static [&'static str]) -> Self {
        self.validator = Validator::EachOf(words);
        self
    }

    pub(super) const fn replicas(mut self) -> Self {
        self.validator = Validator::Replicas;
        self
    }

    pub(super) const fn else_broker(mut self, synonyms: &'static [Synonym]) -> Self {
        self.synonyms = synonyms;
        self
    }

    pub(super) const fn per_broker(mut self) -> Self {
        self.update = Update::PerBroker;
        self
    }

    pub(super) const fn cluster_wide(mut self) -> Self {
        self.update = Update::ClusterWide;
        self
    }

    pub(super) const fn internal(mut self) -> Self {
        self.is_internal = true;
        self
    }

    pub(super) const fn only_dynamic(mut self) -> Self {
        self.is_only_dynamic = true;
        self
    }

    pub(super) const fn kept(mut self) -> Self {
        self.effect = Effect::Kept;
        self
    }

    pub(super) const fn protects(mut self) -> Self {
        self.effect = Effect::Protects;
        self
    }

    pub(super) const fn doc(mut self, documentation: &'static str) -> Self {
        self.documentation = documentation;
        self
    }
}
