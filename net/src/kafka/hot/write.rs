//! Writing a structure in either of the wire's two forms.

use bytes::{BufMut, BytesMut};
use gracchus_core::boundary::{BrokerEndpoint, TopicRef};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::NodeId;

use super::super::wire;

/// Bytes in the making that know their form.
pub(super) struct Writer {
    pub(super) bytes: BytesMut,
    is_flexible: bool,
}

impl Writer {
    pub(super) fn new(bytes: BytesMut, is_flexible: bool) -> Self {
        Self { bytes, is_flexible }
    }

    pub(super) fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.put_u8(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.put_u8(value.to_le_bytes()[0]);
    }

    pub(super) fn string(&mut self, mut text: &str) {
        if self.is_flexible {
            self.varint(compact(text.len()));
        } else {
            // Names came in this form; only a message of ours can be too long.
            text = wire::cut(text);
            self.bytes.put_i16(i16::try_from(text.len()).expect("it was cut"));
        }
        self.bytes.put_slice(text.as_bytes());
    }

    pub(super) fn nullable_string(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None if self.is_flexible => self.varint(0),
            None => self.bytes.put_i16(-1),
        }
    }

    pub(super) fn topic(&mut self, topic: &TopicRef) {
        match topic {
            TopicRef::Name(name) => self.string(name.as_str()),
            TopicRef::Id(id) => self.bytes.put_slice(&id.0.0),
        }
    }

    /// The length of an array or of bytes, which follow.
    pub(super) fn length(&mut self, length: usize) {
        if self.is_flexible {
            self.varint(compact(length));
        } else {
            self.bytes.put_i32(i32::try_from(length).expect("an answer is shorter than 2 GiB"));
        }
    }

    pub(super) fn null_array(&mut self) {
        if self.is_flexible {
            self.varint(0);
        } else {
            self.bytes.put_i32(-1);
        }
    }

    /// The end of a structure without tagged fields.
    pub(super) fn end(&mut self) {
        if self.is_flexible {
            self.bytes.put_u8(0);
        }
    }

    /// A leader within a tagged field, or whatever else is a number and an epoch: node, epoch and no tags of its own.
    pub(super) fn leader_tag(&mut self, tag: u32, (node, epoch): (NodeId, LeaderEpoch)) {
        self.varint(tag);
        self.varint(4 + 4 + 1);
        self.bytes.put_i32(node.0);
        self.bytes.put_i32(epoch.0);
        self.bytes.put_u8(0);
    }

    /// The end of an answer, with the endpoints of the leaders that it names (KIP-951) in tag 0.
    pub(super) fn end_with_endpoints(&mut self, endpoints: &[BrokerEndpoint]) {
        if endpoints.is_empty() {
            return self.end();
        }
        let mut field = Self::new(BytesMut::new(), true);
        field.length(endpoints.len());
        for endpoint in endpoints {
            field.bytes.put_i32(endpoint.node.0);
            field.string(&endpoint.host);
            field.bytes.put_i32(i32::from(endpoint.port));
            field.nullable_string(endpoint.rack.as_deref());
            field.end();
        }
        self.varint(1);
        self.varint(0);
        self.varint(u32::try_from(field.bytes.len()).expect("an answer is shorter than 2 GiB"));
        self.bytes.put_slice(&field.bytes);
    }
}

/// A compact length is one more than the length, 0 being null.
fn compact(length: usize) -> u32 {
    u32::try_from(length + 1).expect("an answer is shorter than 2 GiB")
}
