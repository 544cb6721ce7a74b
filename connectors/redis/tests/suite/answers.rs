//! Each code of an answer, one by one: docs/connectors/redis.md has the table.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use orderd_sink_testing::{FakeDaemon, Program, Target as _, event, eventually};

use crate::setup::Redis;

/// Answers everything with `OK`, and the next script with this error.
fn serve(stream: TcpStream, error: &Mutex<Option<&'static str>>) -> Option<()> {
    let mut requests = BufReader::new(stream.try_clone().ok()?);
    loop {
        let words = number(&mut requests)?;
        let words: Vec<Vec<u8>> = (0..words).map(|_| word(&mut requests)).collect::<Option<_>>()?;
        let is_script = words.first().is_some_and(|word| word == b"EVAL");
        let error = if is_script { error.lock().unwrap().take() } else { None };
        let answer = error.map_or("+OK\r\n".to_owned(), |error| format!("-{error}\r\n"));
        (&stream).write_all(answer.as_bytes()).ok()?;
    }
}

/// `*3` or `$12`.
fn number(requests: &mut impl std::io::BufRead) -> Option<usize> {
    let mut line = String::new();
    requests.read_line(&mut line).ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

fn word(requests: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut word = vec![0; number(requests)? + 2];
    requests.read_exact(&mut word).ok()?;
    word.truncate(word.len() - 2);
    Some(word)
}

#[test]
fn every_code_has_its_outcome() {
    let classes: [(&str, &[&str]); 4] = [
        (
            "unavailable",
            &[
                "BUSY a script runs",
                "LOADING the dataset",
                "TRYAGAIN during resharding",
                "CLUSTERDOWN the cluster is down",
                "MASTERDOWN link with MASTER is down",
                "READONLY you can't write against a read only replica",
                "OOM command not allowed when used memory > 'maxmemory'",
                "MISCONF errors writing to the AOF file",
                "NOREPLICAS not enough good replicas to write",
            ],
        ),
        (
            "blocked",
            &[
                "NOAUTH authentication required",
                "WRONGPASS invalid username-password pair",
                "NOPERM this user has no permissions",
                "DENIED Redis is running in protected mode",
                "WRONGTYPE operation against a key holding the wrong kind of value",
                "CROSSSLOT keys in request don't hash to the same slot",
                "ERR unknown command 'EVAL'",
                "NOSTREAM the stream is missing",
            ],
        ),
        ("rejected", &["ERR Elements are too large to be stored"]),
        ("failed", &["ERR something else"]),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let keys = format!("url = \"redis://{}\"\nstream = \"orders\"\n", listener.local_addr().unwrap());
    let error = Arc::new(Mutex::new(None));
    let next = error.clone();
    // One connection at a time: the connector has no more.
    let work = move || listener.incoming().flatten().for_each(|stream| serve(stream, &next).unwrap_or_default());
    std::thread::Builder::new().name("server".to_owned()).spawn(work).unwrap();
    let daemon = FakeDaemon::start();
    let _connector = Program::start(Redis::BINARY, &daemon, &keys);
    let answers = classes.iter().flat_map(|(class, answers)| answers.iter().map(move |answer| (*class, *answer)));
    for (sequence, (class, answer)) in (1..).zip(answers) {
        let before = daemon.told().len();
        *error.lock().unwrap() = Some(answer);
        daemon.publish([event(sequence, sequence, 1)]);
        let told = eventually(answer, || daemon.told().get(before).cloned());
        assert_eq!(told.outcome(), class, "{answer}: {told:?}");
        // A rejected one stays where it is, everything else goes through now.
        if class != "rejected" {
            daemon.wait_told("the event", |told| *told == orderd_sink_testing::Told::Delivered(sequence));
        }
    }
}
