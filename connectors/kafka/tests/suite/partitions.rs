//! Which partition an order is in.

use orderd_sink_testing::{FakeDaemon, Target as _, event, order_id};

use crate::setup::{Kafka, PARTITIONS};

/// The hash of Java's clients.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(key.len()).unwrap();
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[test]
fn an_order_is_in_the_partition_in_which_javas_clients_look_for_it() {
    // Values that Kafka's own tests expect.
    for (key, hash) in [("21", -973_932_308_i32), ("foobar", -790_332_482), ("abc", 479_470_107)] {
        assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
    }
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let _connector = kafka.connector(&daemon, "");
    daemon.publish((1..=100).map(|n| event(n, n, 1)));
    daemon.wait_delivered(100);
    let stored = kafka.stored();
    assert_eq!(stored.len(), 100);
    for message in &stored {
        let expected = (murmur2(message.key.as_bytes()) & 0x7fff_ffff) % PARTITIONS.cast_unsigned();
        assert_eq!(message.partition.cast_unsigned(), expected, "{}", message.key);
    }
    assert!(stored.iter().any(|message| message.key == order_id(1)), "the key is the order's id");
}
