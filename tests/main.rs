//! The real daemon, driven from outside: one file a promise or command.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod history;
mod load;
mod support;

mod access;
mod architecture;
mod backup;
mod backup_kills;
mod cli_backup;
mod cli_bench;
mod cli_delivery;
mod cli_dump;
mod cli_errors;
mod cli_exit_codes;
mod cli_help;
mod cli_operate;
mod cli_orders;
mod cli_send;
mod cli_verify;
mod config_check;
mod config_lookup;
mod damage;
mod direct_publish;
mod disk_full;
mod doc_links;
mod envelope;
mod event_context;
mod fairness;
mod file_modes;
mod file_replays;
mod file_sink;
mod hostile;
mod idempotency;
mod import_circles;
mod kill_restart;
mod line_limits;
mod logs;
mod notifications;
mod one_daemon;
mod os_faults;
mod overload;
mod packaging;
mod params;
mod parked_lanes;
mod parse_errors;
mod permissions;
mod pipelining;
mod playbooks;
#[cfg(feature = "postgres")]
mod postgres;
mod power_cut;
mod published_events;
mod readme;
mod schema;
mod service;
mod sinks;
mod slow_reader;
mod snapshot_kills;
mod snapshots;
mod status;
mod stop;
mod subscription_kills;
mod subscriptions;
mod tidy;
mod timestamps;
mod torn_tail;
mod transitions;
mod upgrade;
