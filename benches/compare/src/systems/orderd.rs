//! orderd, as its defaults are.

use super::{Bench, Cell, Filled, Measured, System, count_args, load_args, measured, strs};
use crate::daemon::{Settings, Store};
use anyhow::Result;

/// With a file sink that delivers every event meanwhile, or without: then it does what the peers do, and no more.
pub struct Orderd {
    pub sink: bool,
}

impl Orderd {
    fn settings(&self, store: &Store) -> Settings {
        let settings = Settings::default();
        if self.sink { settings.with_sink("events", &store.folder().join("events.ndjson"), true) } else { settings }
    }
}

impl System for Orderd {
    fn name(&self) -> &'static str {
        if self.sink { "orderd, delivering" } else { "orderd" }
    }

    fn cells(&self, cells: &[Cell]) -> Vec<Cell> {
        cells.to_vec()
    }

    fn measure(&self, bench: &Bench, cell: Cell) -> Result<Measured> {
        let store = Store::new(&bench.orderd, &bench.folder)?;
        let daemon = store.start(&self.settings(&store))?;
        let found = daemon.bench(&strs(&load_args(bench, cell)))?;
        // Not stopped in order: what is left to deliver is nobody's figure.
        daemon.kill()?;
        Ok(measured(&found))
    }

    fn fill(&self, bench: &Bench, cell: Cell, commands: u64) -> Result<Filled> {
        let store = Store::new(&bench.orderd, &bench.folder)?;
        let daemon = store.start(&self.settings(&store))?;
        let (written, resident) = (bench.disk.written_bytes()?, daemon.resident_bytes()?);
        daemon.bench(&strs(&count_args(cell, commands)))?;
        let resident_bytes = daemon.resident_bytes()?.saturating_sub(resident);
        daemon.kill()?;
        let daemon = store.start(&self.settings(&store))?;
        let ready_after = daemon.ready_after;
        daemon.stop()?;
        Ok(Filled {
            written_bytes: bench.disk.written_bytes()?.saturating_sub(written),
            resident_bytes: Some(resident_bytes),
            ready_after: Some(ready_after),
        })
    }
}
