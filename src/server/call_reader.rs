//! A method and its params, made into a call.

use super::call::{Call, Limits, Shown};
use super::methods::Method;
use super::params::{Params, RawParams};
use super::raw_json::Value;
use super::rpc_error::{ErrorKind, RpcError, excerpt};
use super::{operator_calls as operators, order_calls as orders};
use crate::contracts::Request;

/// Makes the call of a method, whose name is a string, and its params.
pub(super) fn read_call(name: Value<'_>, raw: &RawParams<'_>, limits: &Limits) -> Result<(Method, Call), RpcError> {
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
        Method::SinkAttach => return operators::attach(params, limits).map(Call::Attach),
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
