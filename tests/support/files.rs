//! Looking at, copying and damaging files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{DEADLINE, eventually};

/// Every file below a folder with its bytes, by its path from there. The lock is not counted: it holds no data.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && !path.ends_with("LOCK") {
                let name = path.strip_prefix(dir).expect("a path below").to_owned();
                found.insert(name, fs::read(&path).expect("a file's bytes"));
            }
        }
    }
    found
}

/// As `files`, once nothing in the folder has changed for a second: an idle daemon still marks the end of its last batch.
pub fn resting_files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    const REST: Duration = Duration::from_secs(1);
    let (mut last, mut since) = (files(dir), Instant::now());
    eventually(DEADLINE, "the folder comes to rest", || {
        let now = files(dir);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() >= REST
    });
    last
}

/// Copies a folder with everything in it, as `cp -a` would; sockets are left out.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    fs::set_permissions(to, fs::metadata(from).expect("the folder").permissions()).expect("the folder's mode");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("a folder entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_tree(&path, &target);
        } else if path.is_file() {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Changes one byte of a file in place.
#[track_caller]
pub fn flip_byte(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).expect("the file to damage");
    assert!(offset < bytes.len(), "{} has only {} bytes", path.display(), bytes.len());
    bytes[offset] ^= 0x5a;
    fs::write(path, bytes).expect("the damaged file");
}
