//! What a page says where the daemon has no answer for it.

use maud::{Markup, html};

use super::format::outside;
use crate::daemon::CallError;

/// A note in the place of a view that this method would have filled.
pub fn note(method: &str, error: &CallError) -> Markup {
    let missing = error.is_missing_method();
    let denied = error.is_permission_denied();
    html! {
        div.note.bad[!missing && !denied] role="note" {
            @if missing {
                p {
                    "This daemon does not know " code { (method) } ": it is older than this console. "
                    "Upgrade it to see this."
                }
            } @else if denied {
                p {
                    "The daemon does not let the console's user call " code { (method) }
                    ". Name that user in " code { "daemon.observer_uids" } " to see this, or in "
                    code { "daemon.operator_uids" } " to act, too."
                }
            } @else {
                p { code { (method) } ": " (outside(&error.to_string())) }
            }
        }
    }
}

/// Whether the error says that there is nothing of this name.
pub fn is_not_found(error: &CallError) -> bool {
    error.kind().ends_with("_not_found") && !error.is_missing_method()
}
