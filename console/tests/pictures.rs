//! The pictures of docs/console.md.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::browser::Browser;
use crate::support::console::Console;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::{ORDER, World};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures");

/// `just console-pictures`. The charts need history, so the console runs for a while first.
#[test]
#[ignore = "takes ten minutes, and writes docs/pictures/*.png"]
fn pictures() {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (folder, seconds) = (setting("PICTURES_DIR", FOLDER), setting("PICTURES_AFTER_S", "600"));
    let daemon = FakeDaemon::start(World::busy());
    let token = daemon.socket().with_file_name("token");
    std::fs::write(&token, "0123456789abcdef0123456789abcdef").unwrap();
    let console = Console::start(&daemon.socket(), &["--actions", "--token-file", token.to_str().unwrap()]);
    std::thread::sleep(Duration::from_secs(seconds.parse().unwrap()));
    let mut browser = Browser::start();
    browser.colours("light");
    let order = format!("/orders/{ORDER}");
    let views = [
        ("overview", "/", 850),
        ("sink", "/sinks/accounting?window=5m", 900),
        ("order", order.as_str(), 440),
        ("storage", "/storage", 1_080),
    ];
    std::fs::create_dir_all(&folder).unwrap();
    for (name, path, height) in views {
        browser.size(1_280, height);
        browser.open(&format!("http://{}{path}", console.address));
        save(&browser.screenshot(), &format!("{folder}/console-{name}.png"));
    }
    browser.size(1_280, 640);
    browser.open(&format!("http://{}/parked", console.address));
    browser.evaluate("document.querySelector('button[data-lane]').click()");
    browser.until("document.querySelector('dialog pre')?.textContent.includes('OrderCompleted')");
    save(&browser.screenshot(), &format!("{folder}/console-skip.png"));
}

fn save(base64: &str, file: &str) {
    let mut decode =
        Command::new("sh").args(["-c", &format!("base64 -d > '{file}'")]).stdin(Stdio::piped()).spawn().unwrap();
    decode.stdin.take().unwrap().write_all(base64.as_bytes()).unwrap();
    assert!(decode.wait().unwrap().success());
}
