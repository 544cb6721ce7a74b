//! The paths of copies, as the storage port takes them: from the root of the machine on.

use std::path::Path;

use super::exit::{Exit, Failure};

/// A folder that is there.
///
/// # Errors
/// It is not, or its path is not UTF-8.
pub(super) fn existing(path: &Path) -> Result<String, Failure> {
    let whole = path.canonicalize().map_err(|error| Failure::io(format!("cannot open {}", path.display()), &error))?;
    text(&whole)
}

/// A folder to be made in one that is there.
///
/// # Errors
/// The folder that is to hold it is missing, or the path is not UTF-8.
pub(super) fn new(path: &Path) -> Result<String, Failure> {
    let Some(name) = path.file_name() else {
        return Err(Failure::new(Exit::Usage, format!("{} is not the name of a folder to be made", path.display())));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent =
        parent.canonicalize().map_err(|error| Failure::io(format!("cannot open {}", parent.display()), &error))?;
    text(&parent.join(name))
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::new(Exit::Usage, format!("{} is not UTF-8; choose another path", path.display())))
}
