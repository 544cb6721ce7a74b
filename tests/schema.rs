//! SCHEMA.sql in a real PostgreSQL that these tests start themselves: what it refuses, what it keeps in order, and
//! that its statements read what they should.
//!
//! Needs the server's programs (`apt-get install postgresql-15`); without them the tests fail and say so.

mod concurrency;
mod consuming;
mod plans;
mod real_events;
mod relaying;
mod retention;
mod session;
mod storing;
