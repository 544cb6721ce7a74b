//! Which file a path names, as far as that can be told without opening it.

use std::path::{Component, Path, PathBuf};

/// What two paths are compared by: the path through every symbolic link and `..` that is there, else as its text says.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let of_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| without_detours(path))
}

/// The path without `.` and `..`, as far as its text tells.
fn without_detours(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        let goes_back =
            part == Component::ParentDir && matches!(straight.components().next_back(), Some(Component::Normal(_)));
        if goes_back {
            straight.pop();
        } else {
            straight.push(part);
        }
    }
    straight
}
