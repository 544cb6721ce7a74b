//! A load engine: it drives a server that answers lines over a Unix socket, and measures it. `orderd bench` and the
//! comparison with other systems run it, so that all of them are driven by the same code.

mod connection;
mod dialect;
mod error;
mod load;
mod orders;
mod own_orders;
mod pace;
mod report;
mod run;

pub use dialect::{Answers, Dialect, JsonRpc, Refusal, Verb, Verdict, push_number};
pub use error::LoadError;
pub use load::{End, Load, Mix};
pub use orders::{MadeUpOrder, OrderNames};
pub use own_orders::{OwnOrders, find_own_orders};
pub use report::{Latency, Report};
pub use run::{Progress, drive};
