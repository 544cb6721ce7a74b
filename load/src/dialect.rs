//! What a load run says and how it reads the answers.

use super::orders::MadeUpOrder;
use serde_json::Value;

/// A kind of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Place an order.
    Place,
    /// Complete it.
    Complete,
    /// Cancel it.
    Cancel,
    /// Read it.
    Get,
}

/// What one answer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The command is done.
    Done,
    /// The command was refused; the kind of error.
    Refused(String),
    /// The connection was refused as a whole.
    TurnedAway(Refusal),
    /// This is no answer to that request: what is wrong with it.
    Wrong(String),
}

/// Why a server refuses a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of error.
    pub kind: String,
    /// What the server says of it.
    pub message: String,
}

/// Errors that can be about a connection as a whole; their answer carries no id.
const OF_CONNECTIONS: [&str; 3] = ["overloaded", "permission_denied", "shutting_down"];

/// A line protocol that a load run can speak: one request in, one line of answer out, in order.
///
/// `render` MUST append exactly one request, and `judge` MUST NOT call an answer `Done` unless it says so itself.
/// Both run once a command on a core that the server needs too: they neither parse nor allocate in the usual case.
pub trait Dialect {
    /// Appends the request with this id to `out`.
    fn render(&mut self, verb: Verb, id: u64, order: &MadeUpOrder, out: &mut Vec<u8>);

    /// Reads one answer, without its line end, to the request with this id.
    fn judge(&mut self, line: &[u8], id: u64) -> Verdict;
}

/// orderd's own protocol: JSON-RPC 2.0, one message a line.
#[derive(Debug, Default)]
pub struct JsonRpc {
    command_ids: Option<super::orders::OrderNames>,
    answers: Answers,
    expected: Vec<u8>,
}

/// How much is asked of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answers {
    /// It carries the id of its request.
    #[default]
    InOrder,
    /// It is the same line for every request (a server that stands in for a real one).
    AllAlike,
}

impl JsonRpc {
    /// Requests with a `command_id` each if `command_ids` is given.
    pub fn new(command_ids: Option<super::orders::OrderNames>, answers: Answers) -> Self {
        Self { command_ids, answers, expected: Vec::with_capacity(64) }
    }

    fn judge_slowly(&self, line: &[u8], id: u64) -> Verdict {
        let Ok(answer) = serde_json::from_slice::<Value>(line) else {
            return Verdict::Wrong(format!("not JSON: {}", String::from_utf8_lossy(line)));
        };
        if let Some(error) = answer.get("error") {
            let kind = error.pointer("/data/kind").and_then(Value::as_str);
            return match (kind, answer.get("id").and_then(Value::as_u64)) {
                (Some(kind), Some(answered)) if answered == id => Verdict::Refused(kind.to_owned()),
                (Some(kind), None) if OF_CONNECTIONS.contains(&kind) => {
                    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
                    Verdict::TurnedAway(Refusal { kind: kind.to_owned(), message: message.to_owned() })
                }
                _ => Verdict::Wrong(format!("an error for no request of ours: {answer}")),
            };
        }
        let answered = answer.get("id").and_then(Value::as_u64);
        if answer.get("result").is_none() {
            Verdict::Wrong(format!("neither result nor error: {answer}"))
        } else if self.answers == Answers::InOrder && answered != Some(id) {
            Verdict::Wrong(format!("the answer to {id} was due, not {answer}"))
        } else {
            Verdict::Done
        }
    }
}

impl Dialect for JsonRpc {
    fn render(&mut self, verb: Verb, id: u64, order: &MadeUpOrder, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        push_number(id, out);
        out.extend_from_slice(match verb {
            Verb::Place => br#","method":"order.place","params":{"order_id":""#,
            Verb::Complete => br#","method":"order.complete","params":{"order_id":""#,
            Verb::Cancel => br#","method":"order.cancel","params":{"order_id":""#,
            Verb::Get => br#","method":"order.get","params":{"order_id":""#.as_slice(),
        });
        out.extend_from_slice(order.order_id());
        if verb == Verb::Place {
            out.extend_from_slice(br#"","customer_id":""#);
            out.extend_from_slice(order.customer_id());
            out.extend_from_slice(br#"","total_amount":"#);
            push_number(order.total_amount(), out);
        } else {
            out.push(b'"');
        }
        if let (Some(names), Verb::Place | Verb::Complete | Verb::Cancel) = (self.command_ids, verb) {
            out.extend_from_slice(br#","command_id":""#);
            out.extend_from_slice(names.order(id).order_id());
            out.push(b'"');
        }
        out.extend_from_slice(b"}}\n");
    }

    fn judge(&mut self, line: &[u8], id: u64) -> Verdict {
        self.expected.clear();
        self.expected.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        push_number(if self.answers == Answers::AllAlike { 0 } else { id }, &mut self.expected);
        self.expected.extend_from_slice(br#","result":{"#);
        // The order of the members is the server's choice, so another one is slower to read but no less right.
        if line.starts_with(&self.expected) && line.ends_with(b"}}") {
            return Verdict::Done;
        }
        self.judge_slowly(line, id)
    }
}

/// Appends a number in decimal digits.
pub fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        let digit = u8::try_from(number % 10).unwrap_or(0);
        out.push(b'0'.saturating_add(digit));
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::OrderNames;

    fn rendered(verb: Verb) -> Value {
        let mut dialect = JsonRpc::new(Some(OrderNames::from_seed(2)), Answers::InOrder);
        let mut line = Vec::new();
        dialect.render(verb, 120, &OrderNames::from_seed(1).order(0), &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn requests_are_what_the_protocol_asks_for() {
        let place = rendered(Verb::Place);
        assert_eq!(place["jsonrpc"], "2.0");
        assert_eq!(place["id"], 120);
        assert_eq!(place["method"], "order.place");
        assert_eq!(place["params"]["total_amount"], 10_000);
        let mut params: Vec<_> = place["params"].as_object().unwrap().keys().cloned().collect();
        params.sort();
        assert_eq!(params, ["command_id", "customer_id", "order_id", "total_amount"]);
        for (verb, method) in [(Verb::Complete, "order.complete"), (Verb::Cancel, "order.cancel")] {
            let request = rendered(verb);
            assert_eq!(request["method"], method);
            assert_eq!(request["params"]["order_id"], place["params"]["order_id"]);
            assert_eq!(request["params"].as_object().unwrap().len(), 2);
        }
        assert_eq!(rendered(Verb::Get)["params"].as_object().unwrap().len(), 1);
    }

    #[test]
    fn a_result_is_done_whatever_the_order_of_its_members() {
        let mut dialect = JsonRpc::default();
        for line in [
            br#"{"jsonrpc":"2.0","id":7,"result":{"lsn":1}}"#.as_slice(),
            br#"{"id":7,"jsonrpc":"2.0","result":{"lsn":1}}"#,
            br#"{"jsonrpc":"2.0","result":{"lsn":1},"id":7}"#,
        ] {
            assert_eq!(dialect.judge(line, 7), Verdict::Done);
        }
    }

    #[test]
    fn a_refusal_is_counted_by_its_kind() {
        let line = br#"{"jsonrpc":"2.0","id":7,"error":{"code":1101,"message":"","data":{"kind":"overloaded","retryable":true}}}"#;
        assert_eq!(JsonRpc::default().judge(line, 7), Verdict::Refused("overloaded".into()));
    }

    #[test]
    fn a_refused_connection_is_told_apart() {
        let line = br#"{"jsonrpc":"2.0","id":null,"error":{"code":1101,"message":"m","data":{"kind":"overloaded","retryable":true}}}"#;
        let refusal = Refusal { kind: "overloaded".into(), message: "m".into() };
        assert_eq!(JsonRpc::default().judge(line, 7), Verdict::TurnedAway(refusal));
    }

    #[test]
    fn an_answer_out_of_order_is_wrong() {
        let mut dialect = JsonRpc::default();
        for line in [
            br#"{"jsonrpc":"2.0","id":8,"result":{}}"#.as_slice(),
            br#"{"jsonrpc":"2.0","id":70,"result":{}}"#,
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"","data":{"kind":"parse_error"}}}"#,
            br#"{"jsonrpc":"2.0","id":7}"#,
            b"nonsense",
        ] {
            assert!(matches!(dialect.judge(line, 7), Verdict::Wrong(_)));
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 120, u64::MAX] {
            let mut text = Vec::new();
            push_number(number, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), number.to_string());
        }
    }
}
