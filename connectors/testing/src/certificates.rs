//! Certificates of an authority that only the test knows.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python::python;

/// Files in PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority.
    pub ca: PathBuf,
    /// The server's certificate with its chain, for `localhost` and 127.0.0.1.
    pub server_cert: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
    /// A client's certificate with its chain; its common name is `orderd`.
    pub client_cert: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
    /// Another authority, which signed none of these.
    pub stranger: PathBuf,
}

const MAKE: &str = r#"
import sys, trustme
from pathlib import Path
folder = Path(sys.argv[1])
ca = trustme.CA()
ca.cert_pem.write_to_path(folder / "ca.pem")
trustme.CA().cert_pem.write_to_path(folder / "stranger.pem")
for name, identity in (("server", ["localhost", "127.0.0.1"]), ("client", ["client.example"])):
    leaf = ca.issue_cert(*identity, common_name="orderd")
    leaf.private_key_pem.write_to_path(folder / f"{name}.key")
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(folder / f"{name}.pem", append=True)
"#;

/// Makes them in `dir`.
///
/// # Panics
/// PyPI's `trustme` cannot be had.
#[must_use]
pub fn certificates(dir: &Path) -> Certificates {
    let mut make = Command::new(python(&["trustme==1.2.1"]));
    let output = make.args(["-c", MAKE]).arg(dir).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = |name: &str| dir.join(name);
    Certificates {
        ca: file("ca.pem"),
        server_cert: file("server.pem"),
        server_key: file("server.key"),
        client_cert: file("client.pem"),
        client_key: file("client.key"),
        stranger: file("stranger.pem"),
    }
}
