//! What the target's answers mean. docs/connectors/kafka.md has the table.

use orderd_sink::{Outcome, Unavailable};
use rdkafka::error::RDKafkaErrorCode as Code;

/// What librdkafka says of a message that it could not deliver. `alone` is whether it was sent in a batch of its own;
/// `others_pass` whether messages that were sent later were confirmed.
pub(crate) fn of_message(code: Code, alone: bool, others_pass: bool) -> Outcome {
    let reason = code.to_string();
    if is_too_large(code) && !alone {
        // The whole batch was refused; the next attempt is made with batches of one.
        return Outcome::failed(format!("{reason} (in one batch with others)"));
    }
    if is_too_large(code) || code == Code::InvalidRecord {
        return Outcome::rejected(reason);
    }
    if matches!(code, Code::InvalidMessage | Code::InvalidMessageSize) {
        return Outcome::failed(reason);
    }
    // One partition without a leader is no reason to stop the others.
    if code == Code::MessageTimedOut && others_pass {
        return Outcome::failed("its partition did not confirm in time");
    }
    if needs_operator(code) { Outcome::blocked(reason) } else { Outcome::unavailable(reason) }
}

/// A message or its batch.
pub(crate) fn is_too_large(code: Code) -> bool {
    matches!(code, Code::MessageSizeTooLarge | Code::MessageBatchTooLarge)
}

/// What librdkafka says of the producer as a whole.
pub(crate) fn of_producer(code: Code, text: &str) -> Unavailable {
    let reason = if text.is_empty() { code.to_string() } else { text.to_owned() };
    if needs_operator(code) { Unavailable::blocked(reason) } else { Unavailable::passing(reason) }
}

/// Whether an error that is told beside the messages' own ends the producer: waiting does not change it.
pub(crate) fn ends_producer(code: Code, text: &str) -> bool {
    if code == Code::SSL {
        // A server that is killed during a handshake is an error of this kind, too.
        return ["certificate", "verify", "alert"].iter().any(|sign| text.to_ascii_lowercase().contains(sign));
    }
    needs_operator(code)
}

fn needs_operator(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SSL
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopicId
            | Code::UnknownPartition
            | Code::InvalidTopic
            | Code::InvalidRequiredAcks
            | Code::UnsupportedForMessageFormat
            | Code::UnsupportedFeature
            | Code::InvalidConfig
            | Code::InvalidTimestamp
    )
}
