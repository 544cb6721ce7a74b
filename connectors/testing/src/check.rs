//! The subcommand `check`.

use crate::program::Program;

/// What `check` said.
#[derive(Debug)]
pub struct Checked {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Checked {
    /// Checks that the configuration, and with `--connect` the target, is taken, and that this is said.
    ///
    /// # Panics
    /// It is not.
    pub fn assert_taken(&self, says: &str) {
        assert!(self.code == Some(0) && self.err.is_empty() && self.out.contains(says), "{self:?}");
    }
}

/// Runs `check` on this configuration, which is beside the files of `secrets` (name and content).
///
/// # Panics
/// It cannot be run.
pub fn check(binary: &str, config: &str, secrets: &[(&str, &str)], more: &[&str]) -> Checked {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in [("connector.toml", config)].iter().chain(secrets) {
        std::fs::write(dir.path().join(name), content).expect("a file is written");
    }
    let file = dir.path().join("connector.toml");
    let file = file.to_str().expect("a temporary path is UTF-8");
    let output = Program::run(binary, &[&["check", "--config", file], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Checked { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Checks that each configuration is refused in one line that has the words beside it, and nowhere `s3cret`.
///
/// # Panics
/// One is taken, or refused with other words.
pub fn assert_refused(binary: &str, secrets: &[(&str, &str)], cases: &[(impl AsRef<str>, &str)]) {
    for (config, says) in cases {
        let config = config.as_ref();
        let Checked { code, out, err } = check(binary, config, secrets, &[]);
        assert_eq!((code, out.as_str()), (Some(78), ""), "{config}: {err}");
        assert!(err.contains(says) && !err.contains("s3cret") && err.lines().count() == 1, "{config}: {err}");
    }
}
