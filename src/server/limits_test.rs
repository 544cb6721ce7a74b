//! What one client may take, and for how long.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::testing::*;
use crate::contracts::Envelope;

#[test]
fn who_has_much_in_a_full_queue_is_answered_overloaded_in_order_and_who_has_little_is_served() {
    let served = Served::start(|options| {
        options.queue_commands_max = 10;
        options.in_flight_max = 100;
    });
    let (mut greedy, mut modest) = (served.client(), served.client());
    let mut lines: String = (0..14).map(|n| place(&format!("\"id\":{n},"), n)).collect();
    lines.push_str(&place("", 14));
    lines.push_str("x\n");
    greedy.send(&lines);
    let mut taken: Vec<Envelope> = (0..10).map(|_| served.next()).collect();
    for n in 0..8 {
        modest.place(&n.to_string(), 100 + n);
    }
    for n in 0..8 {
        taken.push(served.next());
        assert_eq!(amount_of(taken.last().unwrap()), 100 + n, "as many as that are always taken");
    }
    served.answer(&taken);
    for n in 0..10 {
        assert_eq!(greedy.answer()["id"], n);
    }
    for n in 10..14 {
        let answer = greedy.answer();
        assert_eq!(answer["error"]["data"], json!({"kind": "overloaded", "retryable": true}));
        assert_eq!(answer["id"], n);
    }
    assert_eq!(greedy.error().0, -32700);
    for n in 0..8 {
        assert_eq!(modest.answer()["id"], n);
    }
    served.nothing_is_submitted();
    served.drain();
}

#[test]
fn no_more_is_taken_than_may_be_in_flight_and_it_goes_on_with_each_answer() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    for n in 0..20 {
        client.place(&n.to_string(), n);
    }
    let mut taken: Vec<Envelope> = (0..8).map(|_| served.next()).collect();
    // Another client's round trip: the server had every chance to take more.
    let mut other = served.client();
    other.place("1", 99);
    let others = served.next();
    assert_eq!(amount_of(&others), 99, "the first client is at its limit");
    served.answer(&[others]);
    other.answer();
    for n in 8..20 {
        served.answer(&[taken.remove(0)]);
        taken.push(served.next());
        assert_eq!(amount_of(taken.last().unwrap()), n);
    }
    served.answer(&taken);
    for n in 0..20 {
        assert_eq!(client.answer()["id"], n);
    }
    served.drain();
}

#[test]
fn a_client_that_does_not_read_is_stopped_and_costs_nobody_else_anything() {
    let served = Served::start(|options| {
        options.answer_bytes_max = 20_000;
        options.in_flight_max = 1000;
    });
    let (mut deaf, mut other) = (served.client(), served.client());
    let id = format!("\"{}\"", "x".repeat(3000));
    deaf.writer.set_nonblocking(true).unwrap();
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"no\"}}\n");
    let (mut whole, mut deadline) = (0, Instant::now() + DEADLINE);
    // Its answers fill the socket and 20,000 bytes, then its requests fill the socket the other way.
    let mut unsent: &[u8] = &[];
    let blocked = loop {
        if unsent.is_empty() {
            unsent = line.as_bytes();
            whole += 1;
        }
        match deaf.writer.write(unsent) {
            Ok(count) => {
                unsent = &unsent[count..];
                deadline = Instant::now() + DEADLINE;
            }
            Err(_) => {
                other.place("1", 1);
                served.answer_next(1);
                other.answer();
                let mut poll = [rustix::event::PollFd::new(&deaf.writer, rustix::event::PollFlags::OUT)];
                let ready =
                    rustix::event::poll(&mut poll, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 200_000_000 }));
                if ready == Ok(0) {
                    break whole;
                }
            }
        }
        assert!(Instant::now() < deadline);
    };
    // Now it reads, and gets one answer for each line that it sent whole.
    deaf.writer.set_nonblocking(false).unwrap();
    let mut sender = deaf.writer.try_clone().unwrap();
    let rest = unsent.to_vec();
    let sending = std::thread::Builder::new().spawn(move || sender.write_all(&rest).unwrap()).unwrap();
    for _ in 0..blocked {
        assert_eq!(deaf.error().0, -32601);
    }
    sending.join().unwrap();
    served.drain();
}

#[test]
fn a_slow_reader_is_closed_in_time() {
    let served = Served::start(|options| {
        options.write_ms_max = Duration::from_millis(100);
        options.answer_bytes_max = 20_000;
    });
    let mut deaf = served.client();
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"no\"}}\n", "x".repeat(3000));
    // Ends with an error once the server has closed it.
    while deaf.writer.write_all(line.as_bytes()).is_ok() {}
    served.drain();
}

#[test]
fn who_never_reads_is_closed_in_time_however_often_it_sends() {
    let served = Served::start(|options| {
        options.write_ms_max = Duration::from_millis(200);
        options.answer_bytes_max = 20_000;
    });
    let mut deaf = served.client();
    deaf.writer.set_nonblocking(true).unwrap();
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"no\"}}\n", "x".repeat(3000));
    let deadline = Instant::now() + DEADLINE;
    loop {
        match deaf.writer.write(line.as_bytes()) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => break,
        }
        assert!(Instant::now() < deadline, "it is still there");
    }
    served.drain();
}

#[test]
fn who_reads_slowly_but_steadily_stays() {
    let served = Served::start(|options| {
        options.write_ms_max = Duration::from_millis(500);
        options.answer_bytes_max = 1 << 20;
        options.in_flight_max = 1000;
    });
    let mut slow = served.client();
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"no\"}}\n", "x".repeat(3000));
    let mut sender = slow.writer.try_clone().unwrap();
    let sending = std::thread::Builder::new()
        .spawn(move || {
            for _ in 0..300 {
                sender.write_all(line.as_bytes()).unwrap();
            }
        })
        .unwrap();
    // About a megabyte of answers, taken in pieces with pauses that together are far longer than the limit.
    let mut room = vec![0; 64 * 1024];
    let (mut bytes, mut lines, start) = (0, 0, Instant::now());
    while lines < 300 {
        let step = start + Duration::from_millis(100) * (bytes / room.len()) as u32;
        while Instant::now() < step {
            std::thread::yield_now();
        }
        let count = slow.reader.read(&mut room).unwrap();
        assert!(count > 0, "closed after {lines} answers");
        bytes += count;
        lines += room[..count].iter().filter(|byte| **byte == b'\n').count();
    }
    assert!(start.elapsed() > Duration::from_millis(1000));
    sending.join().unwrap();
    served.drain();
}

#[test]
fn half_a_line_and_silence_are_closed_in_time() {
    let served = Served::start(|options| options.line_ms_max = Duration::from_millis(100));
    let mut half = served.client();
    half.place("1", 1);
    half.send("{\"jsonrpc\"");
    served.answer_next(1);
    assert_eq!(half.answer()["id"], 1);
    assert!(half.is_closed());
    served.drain();

    let served = Served::start(|options| options.idle_ms_max = Duration::from_millis(100));
    let mut idle = served.client();
    assert!(idle.is_closed());
    let mut waiting = served.client();
    waiting.place("1", 1);
    let submission = served.next();
    // Waiting for an answer is not idling, however long it takes: another client idles away meanwhile.
    assert!(served.client().is_closed());
    assert!(served.client().is_closed());
    served.answer(&[submission]);
    assert_eq!(waiting.answer()["id"], 1);
    served.drain();
}

#[test]
fn what_a_client_that_is_gone_has_left_is_executed_up_to_the_first_line_that_is_none() {
    let served = Served::start(|options| options.in_flight_max = 1);
    let mut client = served.client();
    for n in 0..5 {
        client.send(&place("", n));
    }
    client.send(&"\n".repeat(1000));
    client.send(&place("", 99));
    drop(client);
    for n in 0..5 {
        let envelope = served.next();
        assert_eq!(amount_of(&envelope), n);
        served.answer(&[envelope]);
    }
    let mut other = served.client();
    other.place("1", 7);
    let others = served.next();
    assert_eq!(amount_of(&others), 7, "nothing more of the one that is gone");
    served.answer(&[others]);
    other.answer();
    served.drain();
}

#[test]
fn one_connection_too_many_is_told_so_and_closed() {
    let served = Served::start(|options| options.connections_max = 2);
    let (mut first, mut second, mut third) = (served.client(), served.client(), served.client());
    third.place("3", 3);
    let answer = third.answer();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(1101)));
    assert!(third.is_closed());
    for client in [&mut first, &mut second] {
        client.place("1", 1);
        served.answer_next(1);
        assert_eq!(client.answer()["id"], 1);
    }
    first.finish();
    assert!(first.is_closed());
    let mut next = served.client();
    next.place("4", 4);
    served.answer_next(1);
    assert_eq!(next.answer()["id"], 4);
    served.drain();
}

#[test]
fn a_line_too_long_is_answered_after_what_came_before_and_closes_the_connection() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    client.place("1", 1);
    client.send(&format!("{}\n", "x".repeat(4097)));
    client.place("2", 2);
    served.answer_next(1);
    // More than any buffer on the way holds: a client that is still sending must get to see why.
    client.send(&"y".repeat(2_000_000));
    assert_eq!(client.answer()["id"], 1);
    assert_eq!(client.error().0, 1105);
    assert!(client.is_closed());
    served.nothing_is_submitted();
    served.drain();
}

#[test]
fn one_busy_client_leaves_the_others_their_turn() {
    let served = Served::start(|options| options.in_flight_max = 1_000_000);
    let mut busy = served.client();
    let stop = Arc::new(AtomicBool::new(false));
    let (mut sender, stopped) = (busy.writer.try_clone().unwrap(), Arc::clone(&stop));
    let sending = std::thread::Builder::new()
        .spawn(move || {
            let lines = "{}\n".repeat(10_000);
            while !stopped.load(Ordering::Relaxed) && sender.write_all(lines.as_bytes()).is_ok() {}
            sender.shutdown(Shutdown::Write).ok();
        })
        .unwrap();
    let reading = std::thread::Builder::new()
        .spawn(move || {
            let mut room = vec![0; 1 << 16];
            while busy.reader.read(&mut room).unwrap() > 0 {}
        })
        .unwrap();
    for n in 0..100 {
        let mut other = served.client();
        other.place(&n.to_string(), n);
        served.answer_next(1);
        assert_eq!(other.answer()["id"], n);
    }
    stop.store(true, Ordering::Relaxed);
    sending.join().unwrap();
    reading.join().unwrap();
    served.drain();
}

#[test]
fn the_room_that_all_share_comes_back_to_those_who_wait_for_it() {
    let mut served = Served::start(|options| {
        options.connections_max = 4;
        options.in_flight_max = 1000;
        options.line_bytes_max = 200_000;
        options.answer_bytes_max = 1_000_000;
        // 200,000 for whoever comes first, 50,000 for each connection.
        options.answers_bytes_max = 400_000;
    });
    let id = format!("\"{}\"", "x".repeat(60_000));
    let (mut first, mut second) = (served.client(), served.client());
    // Held for answers that the executor has not given: the first has all that is to be had, the second its own part.
    for n in 0..6 {
        first.place(&id, n);
    }
    let firsts: Vec<_> = (0..4).map(|_| served.next()).collect();
    for n in 10..13 {
        second.place(&id, n);
    }
    let seconds = served.next();
    assert_eq!(amount_of(&seconds), 10);
    let mut third = served.client();
    third.place("1", 99);
    let thirds = served.next();
    assert_eq!(amount_of(&thirds), 99, "who holds little is served, and the others wait");
    served.answer(&[thirds]);
    third.answer();
    // The first reads: there is room for both.
    served.answer(&firsts);
    for _ in 0..4 {
        first.answer();
    }
    let rest: Vec<u64> = (0..3).map(|_| amount_of(&served.next())).collect();
    assert!(rest.contains(&11), "the second goes on without being touched: {rest:?}");
    drop((first, second));
    served.answers = None;
    served.drain();
}

/// A read ends at bytes that came with a descriptor, though more is there.
#[test]
fn a_short_read_is_not_taken_for_the_last() {
    let served = Served::start(|_| {});
    let mut client = served.client();
    // The server reads nothing before all three pieces are there: its loop is busy elsewhere, or this goes on.
    for round in 0..20 {
        let line = place(&format!("\"id\":{round},"), round);
        let (half, rest) = line.split_at(line.len() / 2);
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = rustix::net::SendAncillaryBuffer::new(&mut space);
        let descriptors = [std::os::fd::AsFd::as_fd(&client.writer)];
        assert!(ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(&descriptors)));
        let pieces = [std::io::IoSlice::new(half.as_bytes())];
        rustix::net::sendmsg(&client.writer, &pieces, &mut ancillary, rustix::net::SendFlags::empty()).unwrap();
        client.send(rest);
        served.answer_next(1);
        assert_eq!(client.answer()["id"], round);
    }
    served.drain();
}
