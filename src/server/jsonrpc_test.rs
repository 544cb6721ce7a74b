use super::*;
use crate::contracts::{Command, Request};
use crate::domain::{CancelReason, Cents, CommandId, CustomerId, OrderId};
use crate::server::call::Shown;

const A: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const B: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

fn order(id: &str) -> OrderId {
    OrderId::parse(id).unwrap()
}

fn read(line: &[u8]) -> Incoming<'_> {
    super::read(line, &Limits::of_metadata(100))
}

/// The call of a line that is one.
#[track_caller]
fn read_call(line: &str) -> (Option<String>, Call) {
    match read(line.as_bytes()) {
        Incoming::Call { id, call, .. } => (id.map(str::to_owned), call),
        Incoming::Refused { error, .. } => panic!("{line} is refused: {}", error.message),
    }
}

/// Kind and id of a refusal, and its message.
#[track_caller]
fn refused(line: &[u8]) -> (ErrorKind, String, String) {
    match read(line) {
        Incoming::Refused { id: Some(id), error } => (error.kind, id.to_owned(), error.message.into_owned()),
        other @ (Incoming::Call { .. } | Incoming::Refused { id: None, .. }) => {
            panic!("{:?} is {other:?}", String::from_utf8_lossy(line))
        }
    }
}

#[track_caller]
fn is_refused(line: impl AsRef<[u8]>, kind: ErrorKind, id: &str, says: &str) {
    let (got_kind, got_id, message) = refused(line.as_ref());
    let line = String::from_utf8_lossy(line.as_ref()).chars().take(200).collect::<String>();
    assert_eq!((got_kind, got_id.as_str()), (kind, id), "{line}: {message}");
    assert!(message.contains(says), "{line}: {message:?} does not say {says:?}");
    assert!(message.len() < 600, "{line}: a long message: {message}");
}

fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

#[test]
fn every_method_with_all_and_with_the_fewest_params() {
    let (command_id, customer_id) = (CommandId::parse(B).unwrap(), CustomerId::parse(B).unwrap());
    let change = |command| Call::Execute(Request::change(command, None));
    let again = |command| Call::Execute(Request::change(command, Some(command_id)));
    let placed = |order_id| Command::Place { order_id, customer_id, total_amount: Cents::new(7).unwrap() };
    let reason = CancelReason::new("zu \"spät\" 🦀").unwrap();
    let cases = [
        ("order.place", format!(r#"{{"customer_id":"{B}","total_amount":7}}"#), change(placed(None))),
        (
            "order.place",
            format!(r#"{{"command_id":"{B}","total_amount":7,"order_id":"{A}","customer_id":"{B}"}}"#),
            again(placed(Some(order(A)))),
        ),
        ("order.complete", format!(r#"{{"order_id":"{A}"}}"#), change(Command::Complete { order_id: order(A) })),
        (
            "order.complete",
            format!(r#"{{"order_id":"{}","command_id":"{B}"}}"#, A.to_uppercase()),
            again(Command::Complete { order_id: order(A) }),
        ),
        (
            "order.cancel",
            format!(r#"{{"order_id":"{A}"}}"#),
            change(Command::Cancel { order_id: order(A), reason: None }),
        ),
        (
            "order.cancel",
            format!(r#"{{"order_id":"{A}","reason":"zu \"sp\u00e4t\" \ud83e\udd80","command_id":"{B}"}}"#),
            again(Command::Cancel { order_id: order(A), reason: Some(reason) }),
        ),
        ("order.get", format!(r#"{{"order_id":"{A}"}}"#), Call::Execute(Request::Get { order_id: order(A) })),
        ("daemon.status", "{}".to_owned(), Call::Show(Shown::Status)),
        ("daemon.metrics", "{}".to_owned(), Call::Show(Shown::Metrics)),
    ];
    for (method, params, expected) in cases {
        let (id, read) = read_call(&call(method, &params));
        assert_eq!((id.as_deref(), &read), (Some("1"), &expected));
        let silent = format!(r#"{{"params":{params},"method":"{method}","jsonrpc":"2.0"}}"#);
        assert_eq!(read_call(&silent), (None, expected), "{silent}");
    }
    let status = read_call(r#"{"jsonrpc":"2.0","id":1,"method":"daemon.status"}"#);
    assert_eq!(status, (Some("1".to_owned()), Call::Show(Shown::Status)));
}

#[test]
fn ids_are_kept_as_they_were_written() {
    for id in ["0", "-0", "1.50", "1e400", "null", r#""""#, r#""\u0041\n\"""#, r#""größe""#, r#""\ud83e\udd80""#] {
        let line = format!(r#"{{"jsonrpc":"2.0", "id" : {id} ,"method":"daemon.status"}}"#);
        assert_eq!(read_call(&line), (Some(id.to_owned()), Call::Show(Shown::Status)));
        let line = format!(r#"{{"jsonrpc":"1.0","method":5,"what":[],"id":{id}}}"#);
        assert_eq!(refused(line.as_bytes()).1, id, "an id is told however wrong the rest is");
    }
}

#[test]
fn what_is_no_json_is_a_parse_error_without_an_id() {
    let good = r#"{"jsonrpc":"2.0","id":1,"method":"daemon.status"}"#;
    let bad = [
        String::new(),
        " ".into(),
        "hello".into(),
        "{".into(),
        format!("{good} {good}"),
        format!("{good}x"),
        format!("\u{feff}{good}"),
        good.replace("1,", "1,,"),
        good.replace("1,", "01,"),
        good.replace("1,", "+1,"),
        good.replace("1,", "0x1,"),
        good.replace("1,", "NaN,"),
        good.replace("\"}", "\",}"),
        good.replace("status", "sta\ttus"),
        good.replace("status", "sta\\xtus"),
        good.replace("status", "sta\\u12tus"),
        good.replace('"', "'"),
        call("order.place", "{\"a\":"),
        call("order.place", &"[".repeat(100_000)),
    ];
    for line in bad {
        is_refused(&line, ErrorKind::ParseError, "null", "one JSON value");
    }
    for bytes in [&b"\x80"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xff", b"\xe2\x82"] {
        let line = [br#"{"jsonrpc":"2.0","id":""#, bytes, br#"","method":"daemon.status"}"#].concat();
        is_refused(line, ErrorKind::ParseError, "null", "UTF-8");
    }
}

#[test]
fn what_is_no_request_is_an_invalid_request_with_its_id_if_there_is_one() {
    let cases = [
        ("[]", "null", "batches are refused"),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"daemon.status"}]"#, "null", "batches are refused"),
        ("5", "null", "got a number"),
        ("\"x\"", "null", "got a string"),
        ("null", "null", "got null"),
        ("true", "null", "got a boolean"),
        ("{}", "null", "jsonrpc is missing"),
        (r#"{"id":1,"method":"daemon.status"}"#, "1", "jsonrpc is missing"),
        (r#"{"jsonrpc":2.0,"id":1,"method":"daemon.status"}"#, "1", "\"2.0\"; got 2.0"),
        (r#"{"jsonrpc":"2","id":1,"method":"daemon.status"}"#, "1", "got \"2\""),
        (r#"{"jsonrpc":"2.0","id":1}"#, "1", "method is missing"),
        (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, "1", "got null"),
        (r#"{"jsonrpc":"2.0","id":1,"method":{"a":1}}"#, "1", "got an object"),
        (r#"{"jsonrpc":"2.0","id":true,"method":"daemon.status"}"#, "null", "got a boolean"),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"daemon.status"}"#, "null", "got an array"),
        (r#"{"jsonrpc":"2.0","id":"\ud800","method":"daemon.status"}"#, "null", "id must be"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"daemon.status","meta":{}}"#, "1", "unknown member \"meta\""),
        (r#"{"jsonrpc":"2.0","id":1,"method":"daemon.status","\ud800":{}}"#, "1", "unknown member"),
        (r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"daemon.status"}"#, "null", "\"id\" is there twice"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","m\u0065thod":"b"}"#, "1", "is there twice"),
        (r#"{"jsonrpc":"2.0","id":1,"params":5,"params":{},"method":"a"}"#, "1", "\"params\" is there twice"),
        (r#"{"jsonrpc":"2.0","method":"daemon.status","method":"daemon.status"}"#, "null", "twice"),
    ];
    for (line, id, says) in cases {
        is_refused(line, ErrorKind::InvalidRequest, id, says);
    }
}

#[test]
fn an_unknown_method_is_answered_with_those_there_are() {
    for method in ["", "order", "order.Place", "order.place ", "größe", "\\ud800"] {
        is_refused(call(method, "{}"), ErrorKind::MethodNotFound, "1", "order.place, order.complete, order.cancel");
    }
    is_refused(call(&"x".repeat(10_000), "{}"), ErrorKind::MethodNotFound, "1", "xxx…");
    // The method comes first: what it would have taken is not known.
    is_refused(call("order.undo", "[]"), ErrorKind::MethodNotFound, "1", "order.undo");
}

#[test]
fn params_are_refused_by_name_with_what_would_be_right() {
    let order_id = format!(r#""order_id":"{A}""#);
    let place = |rest: &str| format!(r#"{{"customer_id":"{B}",{rest}}}"#);
    let many = (0..20).map(|n| format!("\"p{n}\":1")).collect::<Vec<_>>().join(",");
    let cases = [
        ("order.place", "[]".to_owned(), "params must be an object"),
        ("order.place", "null".to_owned(), "got null"),
        ("daemon.status", "5".to_owned(), "got a number; daemon.status takes no params"),
        ("order.place", "{}".to_owned(), "customer_id is missing"),
        ("order.place", r#"{"total_amount":1}"#.to_owned(), "customer_id is missing"),
        ("order.place", place(r#""order_id":null,"total_amount":1"#), "order_id: expected a hyphenated UUID"),
        ("order.place", format!(r#"{{"customer_id":"{B}"}}"#), "total_amount is missing"),
        ("order.place", place(r#""total_amount":1.0"#), "integer count of cents, 0 to 9007199254740991; got 1.0"),
        ("order.place", place(r#""total_amount":-1"#), "got -1"),
        ("order.place", place(r#""total_amount":-0"#), "got -0"),
        ("order.place", place(r#""total_amount":1e2"#), "got 1e2"),
        ("order.place", place(r#""total_amount":"100""#), "got a string"),
        ("order.place", place(r#""total_amount":null"#), "got null"),
        (
            "order.place",
            place(r#""total_amount":9007199254740992"#),
            "total_amount: 9007199254740992 cents is too much",
        ),
        ("order.place", place(r#""total_amount":99999999999999999999999"#), "total_amount: "),
        ("order.place", place(r#""total_amount":1,"total\u005famount":1"#), "is there twice"),
        ("order.place", place(r#""total_amount":1,"reason":"x""#), "unknown param \"reason\"; order.place takes"),
        ("order.place", format!("{{{many}}}"), "unknown param \"p0\""),
        ("order.get", format!(r#"{{{order_id},"command_id":"{B}"}}"#), "unknown param \"command_id\""),
        ("order.get", "{}".to_owned(), "order_id is missing; order.get takes order_id"),
        ("order.get", r#"{"order_id":"{0}"}"#.to_owned(), "order_id: expected a hyphenated UUID"),
        ("order.get", r#"{"order_id":["x"]}"#.to_owned(), "got an array"),
        ("order.complete", format!("{{{order_id},{order_id}}}"), "\"order_id\" is there twice"),
        ("order.complete", format!(r#"{{{order_id},"command_id":5}}"#), "command_id: expected"),
        ("order.cancel", format!(r#"{{{order_id},"reason":null}}"#), "reason must be a string of at most 500"),
        ("order.cancel", format!(r#"{{{order_id},"reason":"\ud800"}}"#), "half a surrogate pair"),
        (
            "order.cancel",
            format!(r#"{{{order_id},"reason":"{}"}}"#, "ü".repeat(501)),
            "reason: a reason has at most 500",
        ),
        ("daemon.status", r#"{"verbose":true}"#.to_owned(), "unknown param \"verbose\"; daemon.status takes no params"),
    ];
    for (method, params, says) in cases {
        let line = call(method, &params);
        is_refused(&line, ErrorKind::InvalidParams, "1", says);
        let silent = line.replace(r#""id":1,"#, "");
        assert!(matches!(read(silent.as_bytes()), Incoming::Refused { id: None, .. }), "{silent} asks for no answer");
    }
}

#[test]
fn all_the_good_params_do_not_hide_one_more() {
    let context = r#""metadata":{},"traceparent":1,"tracestate":1"#;
    let all = format!(r#""customer_id":"{B}","total_amount":1,"order_id":"{A}","command_id":"{B}",{context}"#);
    for extra in ["total_amount", "order_id", "customer_id", "command_id", "x"] {
        is_refused(
            call("order.place", &format!(r#"{{{all},"{extra}":1,"{extra}":1,"{extra}":1}}"#)),
            ErrorKind::InvalidParams,
            "1",
            extra,
        );
    }
}

#[test]
fn no_line_makes_it_stumble() {
    let line = call("order.cancel", &format!(r#"{{"order_id":"{A}","reason":"\u00e4 \\ 🦀","command_id":"{B}"}}"#));
    // Every cut, and every byte replaced by the ones that mean something.
    for end in 0..line.len() {
        read(&line.as_bytes()[..end]);
        for byte in *b"\"\\{}[]:,0-.e \x00\x7f\x80\xc3\xff" {
            let mut changed = line.clone().into_bytes();
            changed[end] = byte;
            read(&changed);
        }
    }
}
