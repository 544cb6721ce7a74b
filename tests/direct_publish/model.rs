//! Publishing straight from the use case, on two tiny files: a database of one order and a bus.
//!
//! A process that dies is a flow that returns early: what it knew is gone, what it wrote into the files stays. Calls are
//! numbered as in REVIEW.md.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// The database with its outbox, the bus, and the one thing that goes wrong next.
pub struct World {
    dir: TempDir,
    fault: Cell<Fault>,
}

/// Happens once, at its point; then the world is whole again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The process ends between the first effect of a flow and its second.
    DiesHalfway,
    /// The bus takes nothing.
    BusRefuses,
    /// The bus takes the event; its answer is lost.
    BusAnswerLost,
    /// The database takes nothing: a conflict, a full disk, a lost connection.
    CommitFails,
}

/// What the caller hears instead of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Error,
    /// Nothing: there is no process that could answer.
    Silence,
}

impl World {
    /// An order that is placed, a bus that is empty.
    pub fn new(fault: Fault) -> World {
        let world = World { dir: tempfile::tempdir().expect("a temporary folder"), fault: Cell::new(fault) };
        fs::write(world.order_path(), "placed").expect("the order is written");
        fs::write(world.bus_path(), "").expect("the bus is made");
        fs::write(world.outbox_path(), "").expect("the outbox is made");
        world
    }

    /// What the database says of the order.
    pub fn order(&self) -> String {
        fs::read_to_string(self.order_path()).expect("the order is read")
    }

    /// What the consumers got.
    pub fn bus(&self) -> Vec<String> {
        fs::read_to_string(self.bus_path()).expect("the bus is read").lines().map(str::to_owned).collect()
    }

    /// The events that a relay would publish.
    pub fn outbox(&self) -> Vec<String> {
        fs::read_to_string(self.outbox_path()).expect("the outbox is read").lines().map(str::to_owned).collect()
    }

    fn order_path(&self) -> PathBuf {
        self.dir.path().join("order")
    }

    fn bus_path(&self) -> PathBuf {
        self.dir.path().join("bus")
    }

    fn outbox_path(&self) -> PathBuf {
        self.dir.path().join("outbox")
    }

    fn fails(&self, fault: Fault) -> bool {
        let fails = self.fault.get() == fault;
        if fails {
            self.fault.set(Fault::None);
        }
        fails
    }

    /// The update: whole, durable, and of whatever the caller believes the order to be.
    fn update(&self, status: &str) -> Result<(), Heard> {
        if self.fails(Fault::CommitFails) {
            return Err(Heard::Error);
        }
        let new = self.dir.path().join("order.new");
        fs::write(&new, status).expect("the order is written");
        fs::rename(new, self.order_path()).expect("the order is replaced");
        Ok(())
    }

    /// The event has no id and no time, as in the reviewed code.
    fn publish(&self, event: &str) -> Result<(), Heard> {
        if self.fails(Fault::BusRefuses) {
            return Err(Heard::Error);
        }
        let bus = format!("{}{event}\n", fs::read_to_string(self.bus_path()).expect("the bus is read"));
        fs::write(self.bus_path(), bus).expect("the bus is written");
        if self.fails(Fault::BusAnswerLost) { Err(Heard::Error) } else { Ok(()) }
    }

    /// The entry, committed by itself.
    fn store_entry(&self, event: &str) {
        fs::write(self.outbox_path(), format!("{event}\n")).expect("the outbox is written");
    }

    fn live(&self) -> Result<(), Heard> {
        if self.fails(Fault::DiesHalfway) { Err(Heard::Silence) } else { Ok(()) }
    }
}

/// The reviewed flow: commit, then publish. `_retrieved` is not looked at (C2), as there.
pub fn commit_then_publish(world: &World, _retrieved: &str) -> Result<(), Heard> {
    world.update("completed")?; // C3
    world.live()?;
    world.publish("OrderCompleted") // C5
}

/// The same with the missing check added: a placed order alone may be completed.
pub fn check_commit_then_publish(world: &World, retrieved: &str) -> Result<(), Heard> {
    if retrieved == "placed" { commit_then_publish(world, retrieved) } else { Err(Heard::Error) }
}

/// The other way round.
pub fn publish_then_commit(world: &World) -> Result<(), Heard> {
    world.publish("OrderCompleted")?;
    world.live()?;
    world.update("completed")
}

/// Inside of the transaction: a failed publish rolls back, but nothing takes back a publish when the commit fails.
pub fn publish_in_transaction(world: &World) -> Result<(), Heard> {
    let uncommitted = "completed";
    world.publish("OrderCompleted")?;
    world.live()?;
    world.update(uncommitted)
}

/// An outbox, written after the order in a transaction of its own.
pub fn commit_then_store_entry(world: &World) -> Result<(), Heard> {
    world.update("completed")?;
    world.live()?;
    world.store_entry("OrderCompleted");
    Ok(())
}

/// An outbox, written before the order in a transaction of its own.
pub fn store_entry_then_commit(world: &World) -> Result<(), Heard> {
    world.store_entry("OrderCompleted");
    world.live()?;
    world.update("completed")
}

/// Another use case of the same kind.
pub fn cancel_then_publish(world: &World, _retrieved: &str) -> Result<(), Heard> {
    world.update("cancelled")?;
    world.publish("OrderCancelled")
}
