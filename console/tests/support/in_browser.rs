//! Starting a console for a browser, and what no page may do.

use super::browser::Browser;
use super::console::Console;
use super::fake_daemon::FakeDaemon;

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// With the token, where the flags let it act.
pub fn start(daemon: &FakeDaemon, flags: &[&str]) -> Console {
    let file = daemon.socket().with_file_name("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut all = flags.to_vec();
    if flags.contains(&"--actions") {
        all.extend(["--token-file", file.to_str().unwrap()]);
    }
    Console::start(&daemon.socket(), &all)
}

/// No complaint of the browser, and no request to elsewhere.
pub fn assert_clean(browser: &Browser, console: &Console) {
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
    let own = format!("http://{}/", console.address);
    let foreign: Vec<_> =
        browser.requested.iter().filter(|url| !url.starts_with(&own) && *url != "about:blank").collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}
