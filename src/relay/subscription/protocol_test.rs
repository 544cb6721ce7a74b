use super::*;

const TAGS_MAX: usize = 3;

fn read(line: &[u8]) -> Result<Notification, String> {
    parse(line, TAGS_MAX)
}

fn line(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

#[test]
fn every_notification_with_all_and_with_the_fewest_params() {
    let reason: Arc<str> = Arc::from("no");
    let ms = |ms| Some(Duration::from_millis(ms));
    let failed = |retry_after| Notification::Failed { tag: Tag(7), reason: Arc::from("no"), retry_after };
    let cases = [
        ("delivered", r#"{"tags":[1,2]}"#, Notification::Delivered(vec![Tag(1), Tag(2)])),
        ("delivered", r#"{"tags":[]}"#, Notification::Delivered(vec![])),
        ("failed", r#"{"tag":7,"reason":"no"}"#, failed(None)),
        ("failed", r#"{"retry_after_ms":5,"tag":7,"reason":"no"}"#, failed(ms(5))),
        ("rejected", r#"{"tag":7,"reason":"no"}"#, Notification::Rejected { tag: Tag(7), reason: reason.clone() }),
        (
            "unavailable",
            r#"{"reason":"no"}"#,
            Notification::Unavailable { reason: reason.clone(), retry_after: None, blocked: false },
        ),
        (
            "unavailable",
            r#"{"reason":"no","blocked":true,"retry_after_ms":9}"#,
            Notification::Unavailable { reason, retry_after: ms(9), blocked: true },
        ),
    ];
    for (method, params, expected) in cases {
        assert_eq!(read(line(method, params).as_bytes()), Ok(expected), "{method} {params}");
    }
}

#[test]
fn whatever_else_comes_is_an_error_that_says_what_would_be_right() {
    let many = format!(r#"{{"tags":[{}1]}}"#, "1,".repeat(TAGS_MAX));
    let lines = [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        line("delivered", r#"{"tags":[1]}"#) + " 1",
        line("delivered", "[[1]]"),
        line("delivered", r#"{"tags":[1.5]}"#),
        line("delivered", r#"{"tags":[-1]}"#),
        line("delivered", r#"{"tags":["1"]}"#),
        line("delivered", r#"{"tags":[1],"tags":[2]}"#),
        line("delivered", r#"{"tags":[1],"more":1}"#),
        line("delivered", &many),
        line("failed", r#"{"tag":1}"#),
        line("failed", r#"{"tag":1,"reason":null}"#),
        line("failed", r#"{"tag":1,"reason":"","retry_after_ms":null}"#),
        line("rejected", r#"{"tag":1,"reason":"","retry_after_ms":1}"#),
        line("unavailable", r#"{"blocked":1,"reason":""}"#),
        line("event", "{}"),
        line("delivered", r#"{"tags":[1]}"#).replace("2.0", "1.0"),
        line("delivered", r#"{"tags":[1]}"#).replace("{\"jsonrpc\"", "{\"id\":1,\"jsonrpc\""),
        r#"{"jsonrpc":"2.0","method":"delivered"}"#.to_owned(),
    ];
    for line in lines {
        let error = read(line.as_bytes()).unwrap_err();
        assert!(error.contains("takes") || error.contains("says"), "{line}: {error}");
    }
    assert!(read(b"\xff\xfe").is_err());
    assert!(read(&[line("failed", r#"{"tag":1,"reason":""#).as_bytes(), b"\xff\"}}"].concat()).is_err());
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let long = "ü".repeat(REASON_CHARS_MAX + 9);
    let Ok(Notification::Rejected { reason, .. }) =
        read(line("rejected", &format!(r#"{{"tag":1,"reason":"{long}"}}"#)).as_bytes())
    else {
        panic!("not a rejection");
    };
    assert_eq!(&*reason, "ü".repeat(REASON_CHARS_MAX));
}

#[test]
fn lines_are_written_as_the_contract_shows_them() {
    let mut out = Vec::new();
    begin_event(&mut out, Tag(1), 10);
    out.extend_from_slice(b"{}");
    end_event(&mut out, None);
    begin_event(&mut out, Tag(u64::MAX), 1);
    out.extend_from_slice(b"{}");
    end_event(&mut out, Some(Uuid::from_u128(7)));
    closing(&mut out, ClosingKind::TakenOver, "a \"better\" one");
    let answer = Attached { sink: "events", acked_sequence: 0, storeepoch: 1, in_flight_max: 512 };
    attached(&mut out, "\"x\"", &answer);
    refused(&mut out, "7", AttachRefusal::SinkAttached, "taken");
    let expected = r#"{"jsonrpc":"2.0","method":"event","params":{"tag":1,"attempt":10,"event":{}}}
{"jsonrpc":"2.0","method":"event","params":{"tag":18446744073709551615,"attempt":1,"event":{},"replay":"00000000-0000-0000-0000-000000000007"}}
{"jsonrpc":"2.0","method":"closing","params":{"kind":"taken_over","message":"a \"better\" one"}}
{"jsonrpc":"2.0","id":"x","result":{"sink":"events","acked_sequence":0,"storeepoch":1,"in_flight_max":512}}
{"jsonrpc":"2.0","id":7,"error":{"code":1202,"message":"taken","data":{"kind":"sink_attached","retryable":true}}}
"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
