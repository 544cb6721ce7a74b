//! What runs inside the server for each event.

use redis::Cmd;

/// Adds the event unless its id is remembered. The server runs it as a whole or not at all, in its append-only file too:
/// an event without its id, or an id without its event, cannot be. Ids are dropped in the order of their entries, whose
/// ids begin with a time that never goes back.
const ADD_ONCE: &str = "\
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
if ARGV[4] == '0' and redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('NOSTREAM the stream is missing') end
local entry = redis.call('XADD', KEYS[1], '*', 'event', ARGV[2])
redis.call('ZADD', KEYS[2], string.match(entry, '^%d+'), ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[3])
return entry";

/// The code of our own error reply.
pub(crate) const NO_STREAM: &str = "NOSTREAM";

/// The keys that the script works on, and its limits.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// The stream.
    pub(crate) stream: String,
    /// The sorted set with the ids of what was added, in the same hash slot.
    pub(crate) ids: String,
    /// How many ids it keeps.
    pub(crate) ids_max: u64,
    /// Whether a missing stream is made.
    pub(crate) create_stream: bool,
}

impl Script {
    /// The command that adds one event.
    pub(crate) fn add(&self, id: &str, line: &[u8]) -> Cmd {
        // The text and not its hash: a server that was restarted or flushed its scripts needs no second attempt.
        let mut command = redis::cmd("EVAL");
        command.arg(ADD_ONCE).arg(2).arg(&self.stream).arg(&self.ids);
        command.arg(id).arg(line).arg(self.ids_max).arg(u8::from(self.create_stream));
        command
    }
}

/// The name of the set of ids: in the slot of the stream, whether that has a hash tag or not.
pub(crate) fn ids_key(stream: &str) -> String {
    if hash_tag(stream).is_some() { format!("{stream}:orderd-ids") } else { format!("{{{stream}}}:orderd-ids") }
}

/// What stands between the first `{` and the next `}`, if it is not empty: it alone decides the slot.
pub(crate) fn hash_tag(key: &str) -> Option<&str> {
    let (_, after) = key.split_once('{')?;
    let (tag, _) = after.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_are_in_the_slot_of_the_stream() {
        for stream in ["orders", "{shop}:orders", "a:{b}"] {
            let ids = ids_key(stream);
            assert_eq!(hash_tag(&ids), hash_tag(stream).or(Some(stream)), "{ids}");
        }
        assert_eq!(hash_tag("{}x"), None);
        assert_eq!(hash_tag("a{b"), None);
    }
}
