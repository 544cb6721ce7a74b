//! The real daemon, driven from outside: one file a promise or command.
