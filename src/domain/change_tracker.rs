//! Which fields of an aggregate have changed since it was retrieved.

/// A field of an order that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// The customer it belongs to; set when it is placed.
    CustomerId = 1,
    /// What it costs; set when it is placed.
    TotalAmount = 1 << 1,
    /// Where it is in its life.
    Status = 1 << 2,
    /// When it was placed.
    PlacedAt = 1 << 3,
    /// When it was completed.
    CompletedAt = 1 << 4,
    /// When it was cancelled.
    CancelledAt = 1 << 5,
}

/// A set of [`Field`]s, embedded in the aggregate; the repository turns it into a mutation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeTracker {
    changed: u8,
}

impl ChangeTracker {
    /// Notes that `field` has a new value.
    pub(super) const fn mark(&mut self, field: Field) {
        self.changed |= field as u8;
    }

    /// Whether `field` has a new value.
    #[must_use]
    pub const fn is_changed(self, field: Field) -> bool {
        self.changed & field as u8 != 0
    }

    /// Whether any field has a new value.
    #[must_use]
    pub const fn any(self) -> bool {
        self.changed != 0
    }
}
