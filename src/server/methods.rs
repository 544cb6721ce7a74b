//! The table of methods: name, who may call it, and what it takes.

use super::access::Access;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Place,
    Complete,
    Cancel,
    Get,
    Status,
    Metrics,
    Trace,
    SinkList,
    SinkShow,
    SinkPause,
    SinkResume,
    SinkRetry,
    SinkSkipTo,
    SinkForget,
    SinkAttach,
    LaneList,
    LaneShow,
    LaneRequeue,
    LaneSkip,
    LanePark,
    ReplayStart,
    ReplayList,
    ReplayCancel,
    DecisionList,
    StorePin,
    StoreUnpin,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MethodSpec {
    pub(super) name: &'static str,
    pub(super) access: Access,
    /// The names of its params; a `?` at the end of a name says that it may be left out.
    pub(super) params: &'static [&'static str],
}

/// The most params that a method has.
pub(super) const PARAMS_MAX: usize = 8;

const fn spec(name: &'static str, access: Access, params: &'static [&'static str]) -> MethodSpec {
    assert!(params.len() <= PARAMS_MAX, "a method has more params than there are places for");
    MethodSpec { name, access, params }
}

impl Method {
    /// All of them, in the order of their declaration, in which a name is looked for: the frequent ones first.
    pub(super) const ALL: [Self; 26] = [
        Self::Place,
        Self::Complete,
        Self::Cancel,
        Self::Get,
        Self::Status,
        Self::Metrics,
        Self::Trace,
        Self::SinkList,
        Self::SinkShow,
        Self::SinkPause,
        Self::SinkResume,
        Self::SinkRetry,
        Self::SinkSkipTo,
        Self::SinkForget,
        Self::SinkAttach,
        Self::LaneList,
        Self::LaneShow,
        Self::LaneRequeue,
        Self::LaneSkip,
        Self::LanePark,
        Self::ReplayStart,
        Self::ReplayList,
        Self::ReplayCancel,
        Self::DecisionList,
        Self::StorePin,
        Self::StoreUnpin,
    ];

    /// The method's row.
    pub(super) const fn spec(self) -> MethodSpec {
        use Access::{Client, Consumer, Observer, Operator};
        const CONTEXT_OF_PLACE: &[&str] =
            &["customer_id", "total_amount", "order_id?", "command_id?", "metadata?", "traceparent?", "tracestate?"];
        const CONTEXT_OF_COMPLETE: &[&str] = &["order_id", "command_id?", "metadata?", "traceparent?", "tracestate?"];
        const CONTEXT_OF_CANCEL: &[&str] =
            &["order_id", "reason?", "command_id?", "metadata?", "traceparent?", "tracestate?"];
        const REQUEUE: &[&str] =
            &["sink", "order_id?", "all?", "state?", "reason_contains?", "dry_run?", "limit?", "reason?"];
        const REPLAY: &[&str] =
            &["sink", "from", "to", "types?", "order_id?", "rate_events_per_s_max?", "dry_run?", "reason?"];
        match self {
            Self::Place => spec("order.place", Client, CONTEXT_OF_PLACE),
            Self::Complete => spec("order.complete", Client, CONTEXT_OF_COMPLETE),
            Self::Cancel => spec("order.cancel", Client, CONTEXT_OF_CANCEL),
            Self::Get => spec("order.get", Client, &["order_id"]),
            Self::Trace => spec("order.trace", Observer, &["order_id"]),
            Self::Status => spec("daemon.status", Client, &[]),
            Self::Metrics => spec("daemon.metrics", Client, &[]),
            Self::SinkList => spec("sink.list", Observer, &[]),
            Self::SinkShow => spec("sink.show", Observer, &["sink"]),
            Self::SinkPause => spec("sink.pause", Operator, &["sink", "reason?"]),
            Self::SinkResume => spec("sink.resume", Operator, &["sink", "reason?"]),
            Self::SinkRetry => spec("sink.retry", Operator, &["sink", "reason?"]),
            Self::SinkSkipTo => spec("sink.skip_to", Operator, &["sink", "sequence", "reason", "dry_run?"]),
            Self::SinkForget => spec("sink.forget", Operator, &["sink", "reason"]),
            Self::SinkAttach => {
                spec("sink.attach", Consumer, &["sink", "protocol", "program", "in_flight_max?", "take_over?"])
            }
            Self::LaneList => spec("lane.list", Observer, &["sink", "state?", "reason_contains?", "after?", "limit?"]),
            Self::LaneShow => spec("lane.show", Observer, &["sink", "order_id"]),
            Self::LaneRequeue => spec("lane.requeue", Operator, REQUEUE),
            Self::LaneSkip => spec("lane.skip", Operator, &["sink", "order_id", "sequence", "reason"]),
            Self::LanePark => spec("lane.park", Operator, &["sink", "order_id", "reason"]),
            Self::ReplayStart => spec("replay.start", Operator, REPLAY),
            Self::ReplayList => spec("replay.list", Observer, &[]),
            Self::ReplayCancel => spec("replay.cancel", Operator, &["replay_id", "reason?"]),
            Self::DecisionList => spec("decision.list", Observer, &["after_lsn?", "limit?"]),
            Self::StorePin => spec("store.pin", Operator, &[]),
            Self::StoreUnpin => spec("store.unpin", Operator, &["pin"]),
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.spec().name == name)
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(|method| method.spec().name).join(", ")
    }

    /// Its params, for messages.
    pub(super) fn takes(self) -> String {
        let MethodSpec { name, params, .. } = self.spec();
        match params.split_last() {
            None => format!("{name} takes no params"),
            Some((only, [])) => format!("{name} takes {only}"),
            Some((last, others)) => format!("{name} takes {} and {last}", others.join(", ")),
        }
    }

    /// Whether a call changes an order or reads one: what clients come for, and what a connection that is kept for
    /// operators does not do.
    pub(super) const fn is_order_traffic(self) -> bool {
        matches!(self, Self::Place | Self::Complete | Self::Cancel | Self::Get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_name_and_by_no_other() {
        for method in Method::ALL {
            assert_eq!(Method::by_name(method.spec().name), Some(method));
        }
        assert_eq!(Method::by_name("order.Place"), None);
        assert_eq!(Method::by_name(""), None);
    }

    #[test]
    fn a_method_says_what_it_takes() {
        assert_eq!(Method::Get.takes(), "order.get takes order_id");
        assert_eq!(Method::Status.takes(), "daemon.status takes no params");
        assert_eq!(Method::SinkPause.takes(), "sink.pause takes sink and reason?");
        assert_eq!(Method::SinkForget.takes(), "sink.forget takes sink and reason");
    }

    #[test]
    fn what_only_reads_is_open_to_observers_and_what_decides_is_not() {
        let of = |access| Method::ALL.into_iter().filter(move |m| m.spec().access == access).map(|m| m.spec().name);
        let observers: Vec<_> = of(Access::Observer).collect();
        let expected =
            ["order.trace", "sink.list", "sink.show", "lane.list", "lane.show", "replay.list", "decision.list"];
        assert_eq!(observers, expected);
        assert_eq!(of(Access::Consumer).collect::<Vec<_>>(), ["sink.attach"]);
        assert_eq!(of(Access::Operator).count(), 12);
    }
}
