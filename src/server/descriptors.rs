//! File descriptors: enough for every connection, and some for the store.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::accept_policy::REFUSED_MAX;
use super::{BindError, ServerOptions};

/// Descriptors for everything but connections: the store's files, its sinks' readers, and what they open for a moment.
const OTHERS: u64 = 128;

/// Raises this process' limit of open files as far as it may, and sees to it that connections cannot use them up: what
/// the store needs must always be there.
///
/// # Errors
/// `server.connections_max` does not fit.
pub fn provide_descriptors(options: &ServerOptions) -> Result<(), BindError> {
    let needed = (options.connections_max as u64).saturating_add(REFUSED_MAX as u64).saturating_add(OTHERS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None means without limit.
    let Some(soft) = current else { return Ok(()) };
    let hard = maximum.unwrap_or(u64::MAX);
    if soft < needed && soft < hard {
        let wanted = Rlimit { current: Some(needed.min(hard)), maximum };
        if let Err(error) = setrlimit(Resource::Nofile, wanted) {
            tracing::warn!(%error, soft, needed, "cannot raise the limit of open files");
        }
    }
    let soft = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if soft >= needed {
        return Ok(());
    }
    Err(BindError::TooFewDescriptors { connections_max: options.connections_max, needed, limit: soft })
}
