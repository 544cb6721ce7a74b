//! Python with packages that check our work: official SDKs, other people's clients.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The interpreter of a virtual environment that has these packages (`name==version`). It is made under `target/` the
/// first time, and kept.
///
/// # Panics
/// Python 3 with `venv`, or PyPI, is not there.
pub fn python(packages: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock();
    let name: String = packages.join("+").replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python");
    std::fs::create_dir_all(&target).expect("target/python can be made");
    // Several test programs may want it at once.
    let lock = File::create(target.join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("the lock");
    let environment = target.join(&name);
    let (python, done) = (environment.join("bin/python"), environment.join("complete"));
    if !done.exists() {
        std::fs::remove_dir_all(&environment).ok();
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages));
        File::create(done).expect("the mark of a complete environment");
    }
    drop(guard);
    python
}

fn run(command: &mut Command) {
    let output = command.output().expect("python3 is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
