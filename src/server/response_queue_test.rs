use super::*;

/// Takes this many bytes, then blocks.
struct Narrow(Vec<u8>, usize);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.1);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.1 -= count;
        self.0.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line(text: &str) -> impl FnOnce(&mut Vec<u8>) {
    move |out| out.extend_from_slice(text.as_bytes())
}

fn with_id(out: &mut Vec<u8>, id: &str) {
    out.extend_from_slice(id.as_bytes());
}

fn show(out: &mut Vec<u8>, id: &str, _: Shown) {
    out.extend_from_slice(id.as_bytes());
}

fn awaited(id: Option<&str>) -> Awaited {
    Awaited { id: id.map(RawId::new), method: Method::Get, line_bytes: 10 }
}

/// Requests and ready answers in turn, with the tickets of the requests.
fn mixed(long: &str) -> (ResponseQueue, Vec<Ticket>) {
    let mut responses = ResponseQueue::default();
    let mut tickets = Vec::new();
    responses.push_ready(line("a"));
    for (id, ready) in [(Some("1"), "b"), (None, "c"), (Some(long), "d")] {
        tickets.push(responses.next_ticket());
        responses.expect(awaited(id));
        responses.push_ready(line(ready));
    }
    responses.push_shown("s", Shown::Status, show);
    (responses, tickets)
}

#[test]
fn answers_go_out_in_the_order_of_requests_in_whatever_order_they_come_and_however_little_is_taken() {
    let long = "l".repeat(100);
    for step in [1, 2, 7, 1000] {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let ((mut responses, tickets), mut sink) = (mixed(&long), Narrow(Vec::new(), 0));
            assert_eq!((responses.in_flight(), responses.held_bytes()), (7, 1 + 1 + 1 + 100 + 1));
            for index in order {
                assert!(responses.answer(tickets[index], with_id).is_some_and(|awaited| awaited.line_bytes == 10));
                assert!(responses.answer(tickets[index], with_id).is_none(), "an answer comes once");
                responses.release(show);
            }
            assert_eq!(responses.in_flight(), 0);
            while responses.has_unsent() {
                sink.1 = step;
                let sent = responses.send(&mut sink).unwrap();
                assert!(sent.bytes <= step && sent.blocked == responses.has_unsent());
            }
            assert!(responses.is_settled());
            assert_eq!(responses.held_bytes(), 0);
            assert_eq!(String::from_utf8(sink.0).unwrap(), format!("a1bc{long}ds"));
        }
    }
}

#[test]
fn a_ticket_that_nobody_has_is_answered_to_nobody() {
    let (mut responses, tickets) = mixed("2");
    assert!(responses.answer(Ticket(tickets[0].0 + 1), with_id).is_none());
    assert!(responses.answer(Ticket(1000), with_id).is_none());
    responses.answer(tickets[0], with_id);
    responses.release(show);
    assert!(responses.answer(tickets[0], with_id).is_none());
}

#[test]
fn an_id_comes_back_whatever_its_length() {
    for length in [0, 1, RawId::SHORT_MAX - 1, RawId::SHORT_MAX, RawId::SHORT_MAX + 1, 5000] {
        let id = "ü".repeat(length / 2) + &"x".repeat(length % 2);
        assert_eq!(RawId::new(&id).as_str(), id);
    }
}

#[test]
fn nothing_is_kept_for_a_client_that_is_gone() {
    let mut responses = ResponseQueue::default();
    responses.expect(awaited(Some("1")));
    responses.push_ready(line("b"));
    responses.discard();
    assert!(responses.is_settled(), "nobody is owed anything");
    responses.answer(Ticket(0), with_id);
    responses.release(show);
    responses.push_ready(line("c"));
    assert_eq!((responses.held_bytes(), responses.in_flight()), (0, 0));
}
