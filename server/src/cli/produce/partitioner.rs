//! Which partition a record goes to: for a key the one that Kafka's Java client would choose, so that producers of both kinds agree.

/// Chooses partitions. Records without a key stay with one partition until a batch is full, then move on.
#[derive(Clone, Debug)]
pub(super) struct Partitioner {
    partitions: i32,
    sticky: i32,
}

impl Partitioner {
    /// For a topic of `partitions` partitions, at least one.
    pub(super) fn new(partitions: i32) -> Self {
        assert!(partitions > 0, "a topic has partitions");
        Self { partitions, sticky: 0 }
    }

    /// How many partitions there are.
    pub(super) fn partitions(&self) -> i32 {
        self.partitions
    }

    /// The partition for a key, or for none.
    pub(super) fn partition(&self, key: Option<&[u8]>) -> i32 {
        match key {
            Some(key) => (murmur2(key).cast_signed() & i32::MAX) % self.partitions,
            None => self.sticky,
        }
    }

    /// A batch is full: keyless records go to the next partition.
    pub(super) fn batch_is_full(&mut self, partition: i32) {
        if partition == self.sticky {
            self.sticky = (self.sticky + 1) % self.partitions;
        }
    }
}

/// MurmurHash2, 32 bits, with the seed of `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Java's length is 32 bits wide, and so is the hash's view of it.
    let length = u32::try_from(bytes.len()).expect("a key is shorter than 2 GiB");
    let mut hash = SEED ^ length;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let word = tail.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        hash = (hash ^ word).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_in_the_java_client() {
        // Kafka's own UtilsTest.testMurmur2.
        let known: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key).cast_signed(), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn keyless_records_move_on_when_a_batch_is_full() {
        let mut partitioner = Partitioner::new(2);
        assert_eq!(partitioner.partition(None), 0);
        partitioner.batch_is_full(1);
        assert_eq!(partitioner.partition(None), 0);
        partitioner.batch_is_full(0);
        assert_eq!(partitioner.partition(None), 1);
        partitioner.batch_is_full(1);
        assert_eq!(partitioner.partition(None), 0);
    }
}
