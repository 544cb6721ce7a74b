//! orderd keeps orders and announces what happened to them.
