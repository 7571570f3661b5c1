//! MetadataLogMatching: every node's committed metadata adds up to the same at the same offset.

use std::collections::BTreeMap;

use gracchus_core::broker::View;
use gracchus_core::ids::NodeId;
use gracchus_core::offset::Offset;

use crate::checkers::Violation;
use crate::trace::{RollingHash, RunHash};

#[derive(Debug, Default)]
pub(super) struct MetadataLogMatching {
    images: BTreeMap<Offset, (NodeId, RunHash)>,
    looked_at: BTreeMap<NodeId, Offset>,
}

impl MetadataLogMatching {
    pub(super) fn step(&mut self, node: NodeId, view: &View<'_>) -> Result<(), Violation> {
        let Some(upto) = view.metadata_high_watermark() else { return Ok(()) };
        if self.looked_at.insert(node, upto) == Some(upto) {
            return Ok(());
        }
        let bytes = postcard::to_stdvec(view.image()).expect("an image is plain data");
        let mut hash = RollingHash::default();
        hash.bytes(&bytes);
        let (first, known) = *self.images.entry(upto).or_insert((node, hash.value()));
        if known != hash.value() {
            return Err(Violation::safety("MetadataLogMatching", format!("nodes {first} and {node} differ in what is committed to {upto}")));
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, node: NodeId) {
        self.looked_at.remove(&node);
    }
}
