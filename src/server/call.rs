//! A method and its params, made into a call.

use super::methods::Method;
use super::params::{Params, RawParams};
use super::raw_json::Value;
use super::rpc_error::{ErrorKind, RpcError, excerpt};
use super::{operator_calls as operators, order_calls as orders};
use crate::contracts::Request;

/// What a sound request asks for, by who answers it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The executor.
    Execute(Request),
    /// The server, from what the daemon's parts show of themselves.
    Show(Shown),
    /// A sink's worker, to whom the connection goes.
    Attach(AttachCall),
}

/// What the server shows without asking anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Status,
    Metrics,
}

/// `sink.attach`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttachCall {
    pub(super) sink: String,
    pub(super) protocol: u64,
    pub(super) program: String,
    pub(super) in_flight_max: Option<usize>,
    pub(super) take_over: bool,
}

/// What the configuration says about params.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of `metadata`, as sent.
    pub(super) metadata_bytes_max: usize,
}

/// Makes the call of a method, whose name is a string, and its params.
pub(super) fn read(name: Value<'_>, raw: &RawParams<'_>, limits: &Limits) -> Result<(Method, Call), RpcError> {
    let Some(method) = name.as_str().and_then(|name| Method::by_name(&name)) else {
        let message = format!("there is no method {}; there are {}", excerpt(name), Method::names());
        return Err(RpcError::new(ErrorKind::MethodNotFound, message));
    };
    Params::of(method, raw)
        .and_then(|params| call(method, &params, limits))
        .map(|call| (method, call))
        .map_err(|message| RpcError::new(ErrorKind::InvalidParams, message))
}

fn call(method: Method, params: &Params<'_>, limits: &Limits) -> Result<Call, String> {
    let request = match method {
        Method::Place => return orders::place(params, limits),
        Method::Complete => return orders::complete(params, limits),
        Method::Cancel => return orders::cancel(params, limits),
        Method::Get => return orders::get(params),
        Method::Status => return Ok(Call::Show(Shown::Status)),
        Method::Metrics => return Ok(Call::Show(Shown::Metrics)),
        Method::SinkAttach => return operators::attach(params).map(Call::Attach),
        Method::Trace => operators::trace(params),
        Method::SinkList => operators::sink_list(),
        Method::SinkShow => operators::sink_show(params),
        Method::SinkPause => operators::sink_pause(params),
        Method::SinkResume => operators::sink_resume(params),
        Method::SinkRetry => operators::sink_retry(params),
        Method::SinkSkipTo => operators::sink_skip_to(params),
        Method::SinkForget => operators::sink_forget(params),
        Method::LaneList => operators::lane_list(params),
        Method::LaneShow => operators::lane_show(params),
        Method::LaneRequeue => operators::lane_requeue(params),
        Method::LaneSkip => operators::lane_skip(params),
        Method::LanePark => operators::lane_park(params),
        Method::ReplayStart => operators::replay_start(params),
        Method::ReplayList => operators::replay_list(),
        Method::ReplayCancel => operators::replay_cancel(params),
        Method::DecisionList => operators::decision_list(params),
        Method::StorePin => operators::store_pin(),
        Method::StoreUnpin => operators::store_unpin(params),
    };
    request.map(|request| Call::Execute(Request::Operate(Box::new(request))))
}
