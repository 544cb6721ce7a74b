//! A PostgreSQL server in a temporary folder.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

/// Where Debian puts the server's programs, a folder per version; they are not on the PATH.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// Stops before its folder is removed.
pub struct Server {
    bin: PathBuf,
    user: Option<(u32, u32)>,
    dir: TempDir,
    port: u16,
    settings: String,
}

impl Server {
    /// The password of the user `orderd`.
    pub const PASSWORD: &str = "a s3cret/with@signs";

    /// Starts one with these settings.
    pub fn start(settings: &[&str]) -> Self {
        let bin = find_programs();
        let user = rustix::process::geteuid().is_root().then(|| (id("-u"), id("-g")));
        // Not TMPDIR: a socket's path has at most 107 bytes, and the server's user must be able to enter the folder.
        let dir = tempfile::Builder::new().prefix("orderd-pg-").tempdir_in("/tmp").unwrap();
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { bin, user, dir, port, settings: String::new() };
        server.run(
            "initdb",
            &[
                "-U",
                "admin",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
                &server.data(),
            ],
        );
        server.set(settings);
        server.come_back();
        server.sql(&format!("CREATE ROLE orderd LOGIN SUPERUSER PASSWORD '{}'", Self::PASSWORD));
        server
    }

    /// The settings of the next start.
    pub fn set(&mut self, settings: &[&str]) {
        let base = ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=32", "autovacuum=off"];
        let all: Vec<String> = base.iter().chain(settings).map(|setting| format!("-c {setting}")).collect();
        self.settings =
            format!("{} -c port={} -c unix_socket_directories={}", all.join(" "), self.port, text(self.dir.path()));
    }

    /// Starts it again.
    pub fn come_back(&self) {
        let log = self.dir.path().join("log");
        self.run("pg_ctl", &["start", "-w", "-t", "60", "-D", &self.data(), "-l", text(&log), "-o", &self.settings]);
    }

    /// Ends it without a word to anybody: `immediate`, or in good order: `fast`.
    pub fn go_away(&self, mode: &str) {
        self.run("pg_ctl", &["stop", "-m", mode, "-w", "-D", &self.data()]);
    }

    /// Kills the server's first process; the others end by themselves.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        // A new server starts only when all of the old one's processes are gone.
        let file = Path::new(&self.data()).join("postmaster.pid");
        orderd_sink_testing::eventually("the end of the server's processes", || {
            let started = self.command("pg_ctl").args(["status", "-D", &self.data()]).output().unwrap();
            (started.status.code() == Some(3) && self.shared_memory_is_free(&file)).then_some(())
        });
    }

    fn shared_memory_is_free(&self, file: &Path) -> bool {
        // The sixth line of postmaster.pid names the shared memory segment; no process may be attached to it.
        let pid_file = std::fs::read_to_string(file).unwrap_or_default();
        let Some(id) = pid_file.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) else { return true };
        let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        !segments.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(1) == Some(&id) && fields.get(6) != Some(&"0")
        })
    }

    /// A signal for the server's first process.
    pub fn signal(&self, signal: Signal) {
        let file = std::fs::read_to_string(Path::new(&self.data()).join("postmaster.pid")).unwrap();
        let pid = file.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// A signal for the processes that serve clients.
    pub fn signal_clients(&self, signal: Signal) {
        let pids =
            self.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'orderd' AND backend_type = 'client backend'");
        for pid in pids.lines() {
            let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
            rustix::process::kill_process(pid, signal).unwrap();
        }
    }

    pub fn url(&self) -> String {
        format!("postgres://orderd@127.0.0.1:{}/postgres", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a file for the server can be put.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Gives a file to the server's user, who alone may read it.
    pub fn own(&self, file: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = self.user {
            chown(file, Some(uid), Some(gid)).unwrap();
        }
    }

    /// What `psql` prints, a row per line, without decoration.
    pub fn sql(&self, statements: &str) -> String {
        let port = self.port.to_string();
        let args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "admin", "-p", &port, "-d", "postgres"];
        let mut psql = self.command("psql");
        psql.args(args).arg("-h").arg(self.dir.path()).args(["-c", statements]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn count(&self) -> usize {
        self.sql("SELECT count(*) FROM orderd_inbox").parse().unwrap()
    }

    fn data(&self) -> String {
        text(&self.dir.path().join("data")).to_owned()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn run(&self, program: &str, args: &[&str]) {
        let output = self.command(program).args(args).output().expect("PostgreSQL's programs run");
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {}: {words}{log}", output.status);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.command("pg_ctl").args(["stop", "-m", "immediate", "-w", "-D", &self.data()]).output().ok();
    }
}

/// The oldest version from 15 on.
fn find_programs() -> PathBuf {
    let versions = std::fs::read_dir(DEBIAN_VERSIONS).into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = versions.map(|entry| entry.path()).filter(|path| number(path) >= Some(15));
    let oldest = versions.min_by_key(|path| number(path));
    oldest.expect("this test needs PostgreSQL 15's programs: apt-get install postgresql-15").join("bin")
}

/// `initdb` and `postgres` refuse to run as root.
fn id(what: &str) -> u32 {
    let output = Command::new("id").args([what, "postgres"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().expect("run as root, this test needs a user 'postgres'")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is UTF-8")
}
