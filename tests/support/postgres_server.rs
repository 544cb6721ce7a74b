//! A PostgreSQL server that lives as long as the tests that use it. The crate's own tests include this file, too.
#![allow(dead_code, reason = "each helper serves some tests, none serves all")]

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the server may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Where Debian puts the server's programs, a folder a version; they are not on the PATH.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// Stops before its folder is removed.
pub struct Server {
    programs: Programs,
    dir: TempDir,
    port: AtomicU16,
}

/// The installed programs and who may run them: `initdb` and `postgres` refuse to run as root.
struct Programs {
    bin: PathBuf,
    user: Option<(u32, u32)>,
}

impl Server {
    /// One server for all tests that run at the same time; the last one stops it.
    pub fn shared() -> Arc<Server> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Server::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// Its folder, which is also its socket's.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `psql`, quiet and without the caller's settings, told where this server is.
    pub fn psql(&self) -> Command {
        let mut psql = Command::new(self.programs.bin.join("psql"));
        psql.args(["-X", "-q", "-U", "orderd", "-h"]).arg(self.dir()).env("PGCONNECT_TIMEOUT", "30");
        psql.env("PGPORT", self.port.load(Ordering::Relaxed).to_string());
        psql
    }

    /// One that nobody else uses.
    pub fn start() -> Server {
        let server = Server::in_a_folder();
        let data = server.data();
        server.programs.run(
            server.dir(),
            "initdb",
            &["-U", "orderd", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", text(&data)],
        );
        server.run("");
        server
    }

    fn in_a_folder() -> Server {
        let programs = Programs::find();
        // Not TMPDIR: a socket's path has at most 107 bytes, and the server's user must be able to enter the folder.
        let dir = tempfile::Builder::new().prefix("orderd-pg-").tempdir_in("/tmp").expect("a temporary folder");
        if let Some((uid, gid)) = programs.user {
            chown(dir.path(), Some(uid), Some(gid)).expect("the folder is given to the server's user");
        }
        Server { programs, dir, port: AtomicU16::new(5432) }
    }

    /// A new server that follows this one.
    pub fn standby(&self) -> Server {
        let server = Server::in_a_folder();
        server.follow(self);
        server
    }

    /// Begins again as a standby of `primary`, in the same folder.
    pub fn follow(&self, primary: &Server) {
        let data = self.data();
        std::fs::remove_dir_all(&data).ok();
        self.programs.run(
            self.dir(),
            "pg_basebackup",
            &["-h", text(primary.dir()), "-U", "orderd", "-c", "fast", "-X", "stream", "-N", "-R", "-D", text(&data)],
        );
        self.run("");
    }

    /// What the primary does from now on does not reach this standby any more.
    pub fn stop_following(&self) {
        self.value("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        self.value("postgres", "SELECT pg_reload_conf()");
        let begun = Instant::now();
        while self.value("postgres", "SELECT count(*) FROM pg_stat_wal_receiver") != "0" {
            assert!(begun.elapsed() < DEADLINE, "the standby goes on following");
        }
    }

    /// From now on it takes changes.
    pub fn promote(&self) {
        self.programs.run(self.dir(), "pg_ctl", &["promote", "-w", "-t", "60", "-D", text(&self.data())]);
    }

    /// All of its processes are gone at once, as with their machine.
    pub fn kill(&self) {
        let noted = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let own = noted.lines().next().expect("its process id").to_owned();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).expect("its processes");
        let pids = std::iter::once(own.as_str()).chain(children.split_whitespace()).filter_map(|pid| pid.parse().ok());
        for pid in pids.filter_map(rustix::process::Pid::from_raw) {
            // One that has ended meanwhile needs none.
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
    }

    /// Stops it and lets it recover as from an archive: it goes on in a timeline of its own.
    pub fn recover_from_archive(&self) {
        self.programs.run(self.dir(), "pg_ctl", &["stop", "-w", "-m", "fast", "-D", text(&self.data())]);
        std::fs::write(self.data().join("recovery.signal"), "").expect("the server is told to recover");
        self.run("-c restore_command=false");
        // It may take readers before it has chosen its timeline.
        let begun = Instant::now();
        while self.value("postgres", "SELECT pg_is_in_recovery()") != "f" {
            assert!(begun.elapsed() < DEADLINE, "the server does not leave recovery");
        }
    }

    /// The one value of a query; empty if the server does not answer.
    pub fn value(&self, database: &str, sql: &str) -> String {
        let said = self.psql().args(["-A", "-t", "-d", database, "-c", sql]).output().expect("psql runs");
        String::from_utf8_lossy(&said.stdout).trim_end().to_owned()
    }

    /// A new database without anything in it.
    pub fn create_database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("d{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let said = self.psql().args(["-d", "postgres", "-c", &format!("CREATE DATABASE {name}")]).output();
        assert!(said.is_ok_and(|said| said.status.success()), "a database is made");
        name
    }

    /// Where clients find a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://orderd@/{database}?host={}", self.dir().display())
    }

    /// As a power cut: what was not synced is lost, had it not been written before.
    pub fn stop_immediately(&self) {
        self.programs.run(self.dir(), "pg_ctl", &["stop", "-w", "-m", "immediate", "-D", text(&self.data())]);
    }

    /// From now on it listens on a port of 127.0.0.1, too, where it speaks TLS alone and asks for `password`; the port.
    /// `ca.pem` in its folder has signed its certificate, `other.pem` has not.
    pub fn speak_tls(&self, password: &str) -> u16 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        self.value("postgres", &format!("ALTER ROLE orderd PASSWORD '{}'", password.replace('\'', "''")));
        let script = format!(
            "umask 077; for ca in ca other; do openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$ca \
             -keyout $ca.key -out $ca.pem; done; openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key \
             -out server.csr; printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ext; openssl x509 -req \
             -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem; \
             printf 'local all all trust\\nhostssl all all 127.0.0.1/32 scram-sha-256\\n' > {}",
            text(&self.data().join("pg_hba.conf"))
        );
        self.programs.run(self.dir(), "/bin/sh", &["-ec", &script]);
        self.stop_immediately();
        self.port.store(port, Ordering::Relaxed);
        let dir = text(self.dir());
        self.run(&format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file={dir}/server.pem \
             -c ssl_key_file={dir}/server.key"
        ));
        port
    }

    /// The server's own process and those of all connections.
    pub fn pids(&self) -> Vec<u32> {
        let own = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let connections = self.value("postgres", "SELECT pid FROM pg_stat_activity WHERE datname IS NOT NULL");
        own.lines().take(1).chain(connections.lines()).filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.run("");
    }

    /// fsync and autovacuum off: these tests are about the schema, and want the same plans every time.
    fn run(&self, more_options: &str) {
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c fsync=off -c autovacuum=off -c max_connections=64 \
             {more_options}",
            text(self.dir())
        );
        let log = self.dir().join("log");
        self.programs.run(
            self.dir(),
            "pg_ctl",
            &["start", "-w", "-t", "60", "-D", text(&self.data()), "-l", text(&log), "-o", &options],
        );
    }

    fn data(&self) -> PathBuf {
        self.dir().join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        let stop = ["stop", "-m", "immediate", "-w", "-D", text(&data)];
        self.programs.command(self.dir.path(), "pg_ctl").args(stop).output().ok();
    }
}

impl Programs {
    fn find() -> Programs {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let installed = |bin: &PathBuf| ["initdb", "pg_ctl", "psql"].iter().all(|name| bin.join(name).is_file());
        let bin = debian_bins()
            .into_iter()
            .chain(std::env::split_paths(&path))
            .chain(pg_config_bindir())
            .find(installed)
            .expect("this test needs PostgreSQL 15's programs: apt-get install postgresql-15");
        let user = rustix::process::geteuid().is_root().then(|| {
            ["postgres", "nobody"]
                .into_iter()
                .find_map(|name| Some((id("-u", name)?, id("-g", name)?)))
                .expect("run as root, this test needs a user 'postgres' or 'nobody' for the server")
        });
        let programs = Programs { bin, user };
        let version = programs.run(Path::new("/"), "postgres", &["--version"]);
        let major = version.split_whitespace().find_map(|word| word.split('.').next()?.parse::<u32>().ok());
        assert!(
            major >= Some(15),
            "this test needs PostgreSQL 15 or later (apt-get install postgresql-15), not {version}"
        );
        programs
    }

    fn command(&self, dir: &Path, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(dir).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn run(&self, dir: &Path, program: &str, args: &[&str]) -> String {
        let said = self.command(dir, program).args(args).output().expect("PostgreSQL's programs run");
        let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        let words = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{program} {args:?}: {}: {words}{log}", said.status);
        String::from_utf8_lossy(&said.stdout).into_owned()
    }
}

/// Oldest version first: 15 where it is installed, since it is what SCHEMA.sql promises to run on.
fn debian_bins() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN_VERSIONS).into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut bins: Vec<_> = versions.map(|entry| entry.path()).filter(|path| number(path) >= Some(15)).collect();
    bins.sort_by_key(number);
    bins.into_iter().map(|path| path.join("bin")).collect()
}

fn pg_config_bindir() -> Option<PathBuf> {
    let said = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(said.stdout).ok()?.trim()))
}

fn id(what: &str, user: &str) -> Option<u32> {
    let said = Command::new("id").args([what, user]).output().ok()?;
    String::from_utf8(said.stdout).ok()?.trim().parse().ok()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is UTF-8")
}
