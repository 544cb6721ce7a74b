//! A real daemon of the same build, with a file sink and a subscription.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "[daemon]\ndata_dir = 'data'\nsocket = 'orderd.sock'\n\
     [[sinks]]\nname = 'events'\ntype = 'file'\npath = 'events.ndjson'\n\
     [[sinks]]\nname = 'billing'\ntype = 'subscription'\n";

/// The daemon of the same build, up to date.
fn orderd() -> PathBuf {
    let console = Path::new(env!("CARGO_BIN_EXE_orderd-console"));
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "orderd", "--bin", "orderd"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
    console.with_file_name("orderd")
}

/// The process and its folder; killed when it is dropped.
pub struct Daemon {
    dir: TempDir,
    program: PathBuf,
    process: Child,
}

impl Daemon {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), CONFIG).unwrap();
        let program = orderd();
        let process = serve(&program, dir.path());
        Self { dir, program, process }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("orderd.sock")
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = serve(&self.program, self.dir.path());
    }

    /// A client command with `--json`; nothing if it fails.
    pub fn run(&self, arguments: &[&str]) -> Option<Value> {
        let mut command = Command::new(&self.program);
        let output = command.args(arguments).arg("--json").arg("--socket").arg(self.socket()).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }
}

impl Daemon {
    /// Commands at a steady rate, until it is dropped.
    pub fn load(&self, commands_per_second: u32) -> Load {
        let rate = commands_per_second.to_string();
        let mut command = Command::new(&self.program);
        command.args([
            "bench",
            "--connections",
            "4",
            "--in-flight",
            "8",
            "--seconds",
            "600",
            "--rate",
            &rate,
            "--socket",
        ]);
        command.arg(self.socket()).stdout(Stdio::null()).stderr(Stdio::null());
        Load(command.spawn().unwrap())
    }
}

/// A running `orderd bench`.
pub struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn serve(program: &Path, dir: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(dir.join("config.toml"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
