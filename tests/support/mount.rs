//! File systems that a test mounts for itself, and takes down again whatever happens.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{DEADLINE, poll};

/// A mounted file system; unmounted when dropped.
pub struct Mount {
    point: PathBuf,
}

impl Mount {
    /// A file system in memory of `bytes`.
    #[track_caller]
    pub fn tmpfs(point: &Path, bytes: u64) -> Mount {
        std::fs::create_dir(point).expect("a folder to mount on");
        Mount::at(point, &["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "tmpfs"])
    }

    /// A new ext4 in a file of `bytes`, on a loop device.
    #[track_caller]
    pub fn new_ext4(image: &Path, point: &Path, bytes: u64) -> Mount {
        let file = std::fs::File::create(image).expect("a file for the image");
        file.set_len(bytes).expect("the image's length");
        must("mkfs.ext4", &[OsStr::new("-q"), OsStr::new("-F"), image.as_os_str()]);
        std::fs::create_dir(point).expect("a folder to mount on");
        Mount::ext4(image, point)
    }

    /// An ext4 that is already in the file.
    #[track_caller]
    pub fn ext4(image: &Path, point: &Path) -> Mount {
        Mount::at(point, &["-o", "loop", image.to_str().expect("a plain path")])
    }

    /// A new Btrfs in a file of `bytes`, on a loop device.
    #[track_caller]
    pub fn new_btrfs(image: &Path, point: &Path, bytes: u64) -> Mount {
        let file = std::fs::File::create(image).expect("a file for the image");
        file.set_len(bytes).expect("the image's length");
        must("mkfs.btrfs", &[OsStr::new("-q"), image.as_os_str()]);
        std::fs::create_dir(point).expect("a folder to mount on");
        Mount::at(point, &["-o", "loop", image.to_str().expect("a plain path")])
    }

    #[track_caller]
    fn at(point: &Path, args: &[&str]) -> Mount {
        require_root();
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).chain([point.as_os_str()]).collect();
        must("mount", &args);
        Mount { point: point.to_owned() }
    }

    /// Takes it down; everything on it must be closed by now.
    #[track_caller]
    pub fn unmount(self) {
        let done = poll(DEADLINE, || run("umount", &[self.point.as_os_str()]).status.success().then_some(()));
        assert!(done.is_some(), "{} stays in use", self.point.display());
        std::mem::forget(self);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a daemon of a failed test may still hold it, and ends a moment later.
        run("umount", &[OsStr::new("-l"), self.point.as_os_str()]);
    }
}

/// Fails the test where it may not mount: a test that did not run proves nothing.
#[track_caller]
pub fn require_root() {
    assert!(rustix::process::geteuid().is_root(), "this test mounts a file system of its own: run it as root");
}

/// Runs a tool that must succeed.
#[track_caller]
pub fn must<S: AsRef<OsStr>>(tool: &str, args: &[S]) {
    let output = run(tool, args);
    assert!(
        output.status.success(),
        "{tool} {:?} failed ({}): {}",
        args.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs a tool; the sbin folders are not on every user's path.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(tool: &str, args: &[S]) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(tool).args(args).env("PATH", path).output();
    output.unwrap_or_else(|error| panic!("{tool} cannot be run: {error}"))
}
