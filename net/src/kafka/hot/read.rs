//! Reading a structure in either of the wire's two forms: fixed lengths, or compact ones with tagged fields behind each structure (KIP-482).

use bytes::Bytes;
use gracchus_core::boundary::TopicRef;
use kafka_wire_core::{Decoder, StrBytes};

use super::super::{DecodeError, wire};

/// A decoder that knows its form.
pub(super) struct Reader {
    pub(super) decoder: Decoder,
    is_flexible: bool,
}

impl Reader {
    pub(super) fn new(decoder: Decoder, is_flexible: bool) -> Self {
        Self { decoder, is_flexible }
    }

    pub(super) fn string(&mut self) -> Result<StrBytes, DecodeError> {
        Ok(if self.is_flexible { self.decoder.read_compact_string()? } else { self.decoder.read_string()? })
    }

    pub(super) fn nullable_string(&mut self) -> Result<Option<StrBytes>, DecodeError> {
        Ok(if self.is_flexible { self.decoder.read_compact_nullable_string()? } else { self.decoder.read_nullable_string()? })
    }

    pub(super) fn nullable_bytes(&mut self) -> Result<Option<Bytes>, DecodeError> {
        Ok(if self.is_flexible { self.decoder.read_compact_nullable_bytes()? } else { self.decoder.read_nullable_bytes()? })
    }

    /// A topic by whichever of name and id the version has.
    pub(super) fn topic(&mut self, by_id: bool) -> Result<TopicRef, DecodeError> {
        Ok(if by_id { TopicRef::Id(wire::topic_id(self.decoder.read_uuid()?)) } else { TopicRef::Name(wire::topic_name(&self.string()?)) })
    }

    /// An array, its elements read by `element`. It takes memory as its elements come, whatever it claims to have.
    pub(super) fn array<T>(&mut self, mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
        let length = if self.is_flexible { self.decoder.read_compact_array_len()? } else { self.decoder.read_array_len()? };
        let mut elements = Vec::new();
        for _ in 0..length.get() {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Steps over the tagged fields at the end of a structure.
    pub(super) fn end(&mut self) -> Result<(), DecodeError> {
        if self.is_flexible {
            self.decoder.read_tagged_fields()?;
        }
        Ok(())
    }
}
