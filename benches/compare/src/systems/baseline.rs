//! The floor, as a process of its own, driven by the program that drives orderd.

use super::{Bench, Cell, Filled, Measured, System, count_args, load_args, measured, scratch, socket_in, strs};
use crate::daemon;
use crate::process::Server;
use anyhow::Result;
use rustix::process::Signal;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub struct Floor;

impl Floor {
    fn start(folder: &Path) -> Result<Server> {
        let socket = socket_in(folder);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor").arg("--socket").arg(&socket).arg("--file").arg(folder.join("lines"));
        let mut server = Server::start("floor", folder, Signal::KILL, &mut command)?;
        server.wait_ready(Duration::from_secs(10), || UnixStream::connect(&socket).is_ok())?;
        Ok(server)
    }
}

impl System for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn cells(&self, cells: &[Cell]) -> Vec<Cell> {
        cells.to_vec()
    }

    fn measure(&self, bench: &Bench, cell: Cell) -> Result<Measured> {
        let folder = scratch(bench, "floor-")?;
        let server = Self::start(folder.path())?;
        let mut args = load_args(bench, cell);
        args.push("--answers-alike".into());
        let found = daemon::bench(&bench.orderd, &socket_in(folder.path()), &strs(&args))?;
        server.kill()?;
        Ok(measured(&found))
    }

    /// It has nothing to come back to.
    fn fill(&self, bench: &Bench, cell: Cell, commands: u64) -> Result<Filled> {
        let folder = scratch(bench, "floor-")?;
        let server = Self::start(folder.path())?;
        let written = bench.disk.written_bytes()?;
        let mut args = count_args(cell, commands);
        args.push("--answers-alike".into());
        daemon::bench(&bench.orderd, &socket_in(folder.path()), &strs(&args))?;
        server.kill()?;
        let written_bytes = bench.disk.written_bytes()?.saturating_sub(written);
        Ok(Filled { written_bytes, ..Filled::default() })
    }
}
