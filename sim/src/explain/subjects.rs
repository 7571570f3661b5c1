//! Which logs a value speaks of, found by writing it: wherever a partition is named in it, and by what only the metadata log is spoken of.

use std::collections::BTreeSet;
use std::fmt;

use gracchus_core::ids::{LogId, TopicPartition};
use serde::ser::{self, Serialize, Serializer};

/// The logs that a value speaks of.
pub(super) fn logs_in(value: &impl Serialize) -> BTreeSet<LogId> {
    let mut finder = Finder { found: BTreeSet::new() };
    value.serialize(&mut finder).expect("nothing is refused");
    finder.found
}

/// Messages and operations about the metadata log, by the names of their variants.
const OF_METADATA: [&str; 14] = [
    "Quorum",
    "FetchMetadata",
    "Metadata",
    "MetadataInSnapshot",
    "FetchMetadataSnapshot",
    "MetadataSnapshot",
    "KeepMetadataSnapshot",
    "ReadMetadataSnapshot",
    "KeepElection",
    "ElectionKept",
    "Election",
    "MetadataSnapshots",
    "MetadataSnapshotKept",
    "MetadataSnapshotRead",
];

struct Finder {
    found: BTreeSet<LogId>,
}

impl Finder {
    fn variant(&mut self, of: &str, variant: &str) {
        let is_metadata = match of {
            "LogId" => variant == "Metadata",
            "PeerMessage" | "StorageOp" | "StorageDone" => OF_METADATA.contains(&variant),
            _ => false,
        };
        if is_metadata {
            self.found.insert(LogId::Metadata);
        }
    }
}

/// Never met.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// What a compound value is made of.
struct Parts<'a> {
    finder: &'a mut Finder,
    /// The bytes of a partition's fields, where it is one.
    partition: Option<Vec<u8>>,
}

impl<'a> Parts<'a> {
    fn of(finder: &'a mut Finder) -> Self {
        Self { finder, partition: None }
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        match &mut self.partition {
            Some(bytes) => bytes.extend(postcard::to_stdvec(value).map_err(|_| Refused)?),
            None => value.serialize(&mut *self.finder)?,
        }
        Ok(())
    }

    fn whole(self) -> Result<(), Refused> {
        if let Some(bytes) = self.partition {
            let partition: TopicPartition = postcard::from_bytes(&bytes).map_err(|_| Refused)?;
            self.finder.found.insert(LogId::Partition(partition));
        }
        Ok(())
    }
}

macro_rules! nothing_in {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, _: $type) -> Result<(), Refused> { Ok(()) })*
    };
}

impl<'a> Serializer for &'a mut Finder {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    nothing_in!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32, serialize_f64: f64, serialize_char: char,
        serialize_str: &str, serialize_bytes: &[u8], serialize_i128: i128, serialize_u128: u128, serialize_unit_struct: &'static str
    );

    fn serialize_none(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, of: &'static str, _: u32, variant: &'static str) -> Result<(), Refused> {
        self.variant(of, variant);
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        of: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.variant(of, variant);
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Refused> {
        Ok(Parts::of(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Refused> {
        Ok(Parts::of(self))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Refused> {
        Ok(Parts::of(self))
    }

    fn serialize_tuple_variant(self, of: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Parts<'a>, Refused> {
        self.variant(of, variant);
        Ok(Parts::of(self))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Refused> {
        Ok(Parts::of(self))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Refused> {
        let partition = (name == "TopicPartition").then(Vec::new);
        Ok(Parts { finder: self, partition })
    }

    fn serialize_struct_variant(self, of: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Parts<'a>, Refused> {
        self.variant(of, variant);
        Ok(Parts::of(self))
    }
}

macro_rules! parts_of {
    ($($kind:ident $method:ident),*) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.part(value)
            }

            fn end(self) -> Result<(), Refused> {
                self.whole()
            }
        })*
    };
}

parts_of!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

macro_rules! fields_of {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Refused> {
                self.part(value)
            }

            fn end(self) -> Result<(), Refused> {
                self.whole()
            }
        })*
    };
}

fields_of!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.part(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.whole()
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::boundary::{Effects, Input, StorageOp};
    use gracchus_core::ids::{PartitionIndex, TopicId, Uuid};

    use super::*;

    #[test]
    fn a_partition_is_found_wherever_it_is_named() {
        let partition = TopicPartition { topic: TopicId(Uuid([7; 16])), partition: PartitionIndex(300) };
        let mut effects = Effects::default();
        effects.storage.push(StorageOp::Sync { log: LogId::Partition(partition) });
        effects.storage.push(StorageOp::Sync { log: LogId::Metadata });
        assert_eq!(logs_in(&effects), [LogId::Metadata, LogId::Partition(partition)].into());
        assert!(logs_in(&Input::Deadline).is_empty());
    }
}
