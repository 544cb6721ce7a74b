use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

fn options(socket: PathBuf) -> ServerOptions {
    ServerOptions {
        socket,
        socket_mode: 0o660,
        socket_group: None,
        allowed_uids: Vec::new(),
        operator_uids: Vec::new(),
        observer_uids: Vec::new(),
        connections_max: 1,
        operator_connections: 0,
        line_bytes_max: 1,
        metadata_bytes_max: 1,
        metadata_levels_max: 1,
        program_chars_max: 1,
        outsider_connections_max: 1,
        in_flight_max: 1,
        queue_commands_max: 1,
        queue_bytes_max: 1,
        answer_bytes_max: 1,
        answers_bytes_max: 1,
        line_ms_max: Duration::ZERO,
        idle_ms_max: Duration::ZERO,
        write_ms_max: Duration::ZERO,
        shutdown_ms_max: Duration::ZERO,
    }
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_socket_has_its_mode_and_goes_with_the_listener() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    for mode in [0o600, 0o660, 0o666] {
        let listener = Listener::bind(&ServerOptions { socket_mode: mode, ..options(path.clone()) }).unwrap();
        assert_eq!(mode_of(&path), mode);
        drop(listener);
        assert!(!path.exists());
    }
}

#[test]
fn until_its_mode_is_set_nobody_else_may_connect() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let _socket = bind_private(&path).unwrap();
    assert_eq!(mode_of(&path) & 0o077, 0);
}

#[test]
fn a_group_is_found_by_name_and_by_number() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let own = rustix::process::getgid().as_raw();
    for group in [own.to_string(), "root".to_owned()] {
        let bound = Listener::bind(&ServerOptions { socket_group: Some(group.clone()), ..options(path.clone()) });
        // Giving it to a group that one is not in takes root.
        if group == "root" && own != 0 && !rustix::process::getuid().is_root() {
            assert!(matches!(bound, Err(BindError::Io { operation: "set the group of", .. })), "{bound:?}");
            continue;
        }
        let _listener = bound.unwrap();
        let expected = if group == "root" { 0 } else { own };
        assert_eq!(fs::metadata(&path).unwrap().gid(), expected);
        assert_eq!(mode_of(&path), 0o660);
    }
    let bound = Listener::bind(&ServerOptions { socket_group: Some("no-such-group".into()), ..options(path.clone()) });
    assert!(matches!(bound, Err(BindError::UnknownGroup(_))), "{bound:?}");
    assert!(!path.exists(), "nothing is bound that cannot be set up");
}

#[test]
fn a_folder_in_which_others_may_replace_the_socket_is_refused() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("f");
    fs::create_dir(&folder).unwrap();
    let bound_at = |mode: u32| {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        Listener::bind(&options(folder.join("s")))
    };
    for mode in [0o700, 0o755, 0o1777, 0o775] {
        assert!(bound_at(mode).is_ok(), "{mode:o}");
    }
    for mode in [0o777, 0o757] {
        let refused = bound_at(mode).unwrap_err();
        assert!(matches!(refused, BindError::UnsafeFolder { .. }), "{refused}");
        assert!(!folder.join("s").exists());
    }
}

#[test]
fn a_link_in_the_sockets_place_is_not_followed() {
    let dir = TempDir::new().unwrap();
    let (precious, path) = (dir.path().join("precious"), dir.path().join("s"));
    fs::write(&precious, "").unwrap();
    let before = mode_of(&precious);
    std::os::unix::fs::symlink(&precious, &path).unwrap();
    assert!(matches!(set_access(&path, None, 0o666), Err(BindError::NotASocket(_))));
    assert_eq!(mode_of(&precious), before);
}

#[test]
fn a_path_of_107_bytes_is_taken_and_one_more_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let room = PATH_BYTES_MAX - dir.path().as_os_str().len() - 1;
    let path = dir.path().join("s".repeat(room));
    let _listener = Listener::bind(&options(path)).unwrap();
    let path = dir.path().join("s".repeat(room + 1));
    let refused = Listener::bind(&options(path.clone())).unwrap_err();
    assert!(matches!(refused, BindError::PathTooLong { bytes: 108, .. }), "{refused}");
    assert!(!path.exists());
}

#[test]
fn a_socket_that_nobody_listens_to_is_replaced() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the path outlives its listener");
    let _listener = Listener::bind(&options(path.clone())).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_that_somebody_listens_to_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let theirs = UnixListener::bind(&path).unwrap();
    let before = inode_of(&path).unwrap();
    assert!(matches!(Listener::bind(&options(path.clone())), Err(BindError::InUse(_))));
    assert_eq!(inode_of(&path).unwrap(), before);
    // Also when it is too busy to accept.
    rustix::net::listen(&theirs, 0).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = mio::net::UnixStream::connect(&path) {
        waiting.push(stream);
    }
    assert!(matches!(Listener::bind(&options(path.clone())), Err(BindError::InUse(_))));
    assert_eq!(inode_of(&path).unwrap(), before);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "precious").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for path in [&file, &link, &folder] {
        let refused = Listener::bind(&options(path.clone())).unwrap_err();
        assert!(matches!(refused, BindError::NotASocket(_)), "{refused}");
        assert!(refused.to_string().contains("untouched"), "{refused}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && folder.is_dir());
}

#[test]
fn a_path_that_somebody_else_has_taken_since_is_not_removed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("s");
    let listener = Listener::bind(&options(path.clone())).unwrap();
    fs::remove_file(&path).unwrap();
    let _theirs = UnixListener::bind(&path).unwrap();
    drop(listener);
    assert!(path.exists());
}
