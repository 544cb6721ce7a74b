//! Tests of the real program: a fake daemon behind its socket, HTTP or a browser in front of it.

mod support;

mod acting;
mod browser_views;
mod daemon_trouble;
mod health;
mod limits;
mod listening;
mod metrics;
mod rules;
mod strangers;
mod views;
