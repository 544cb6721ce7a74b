//! The command line, run as a shell would, with a time-out.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{DEADLINE, Store, poll};

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Run {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Holds the run to `code`; returns itself for more checks.
    #[track_caller]
    pub fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "wrong exit code\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Standard output as one JSON value on one line.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "one line: {:?}", self.stdout);
        assert!(self.stdout.ends_with('\n'), "a whole line: {:?}", self.stdout);
        serde_json::from_str(&self.stdout).expect("standard output is JSON")
    }
}

/// One run of the binary, to be configured.
pub struct Cli {
    args: Vec<OsString>,
    envs: Vec<(String, OsString)>,
    dir: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
}

impl Cli {
    pub fn new<S: AsRef<OsStr>>(args: &[S]) -> Cli {
        let args = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        Cli { args, envs: Vec::new(), dir: None, stdin: None }
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Cli {
        self.envs.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn dir(mut self, dir: &Path) -> Cli {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Bytes for standard input, through a pipe that closes at their end.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Cli {
        self.stdin = Some(bytes.into());
        self
    }

    /// Runs to the end; a run that does not end is killed and fails the test.
    #[track_caller]
    pub fn run(self) -> Run {
        let mut stdout = tempfile::tempfile().expect("a file for standard output");
        let mut stderr = tempfile::tempfile().expect("a file for standard error");
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
        command
            .args(&self.args)
            .env_remove("ORDERD_CONFIG")
            .env_remove("ORDERD_SOCKET")
            .env_remove("NOTIFY_SOCKET")
            .envs(self.envs.iter().map(|(name, value)| (name, value)))
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(stdout.try_clone().expect("a second handle"))
            .stderr(stderr.try_clone().expect("a second handle"));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let mut child = command.spawn().expect("the binary runs");
        let feeder = self.stdin.map(|bytes| {
            let mut pipe = child.stdin.take().expect("a pipe");
            let feed = move || {
                // The child may end before it has read everything; that is its business.
                pipe.write_all(&bytes).ok();
            };
            std::thread::Builder::new().name("stdin".into()).spawn(feed).expect("a thread")
        });
        let Some(status) = poll(DEADLINE, || child.try_wait().expect("the child's state")) else {
            child.kill().ok();
            child.wait().ok();
            panic!("orderd {:?} did not end within {DEADLINE:?}: {}", self.args, text(&mut stderr));
        };
        if let Some(feeder) = feeder {
            feeder.join().expect("the feeder ends");
        }
        Run { code: status.code(), stdout: text(&mut stdout), stderr: text(&mut stderr) }
    }
}

/// Runs `orderd ARGS` in the store's folder, with the store's configuration.
#[track_caller]
pub fn orderd(store: &Store, args: &[&str]) -> Run {
    Cli::new(args).env("ORDERD_CONFIG", store.config()).dir(store.dir()).run()
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("back to the start");
    file.read_to_end(&mut bytes).expect("the output is read");
    String::from_utf8_lossy(&bytes).into_owned()
}
