use serde_json::{Value, json};

use super::*;
use crate::domain::{Cents, CustomerId, OrderId, OrderStatus, Timestamp};

fn order(status: OrderStatus, completed: Option<i64>, cancelled: Option<i64>) -> OrderState {
    let time = |micros| Timestamp::from_micros(micros).unwrap();
    OrderState {
        order_id: OrderId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        customer_id: CustomerId::parse("67E55044-10B1-426F-9247-BB680E5FE0C8").unwrap(),
        total_amount: Cents::MAX,
        status,
        version: u32::MAX,
        placed_at: time(0),
        completed_at: completed.map(time),
        cancelled_at: cancelled.map(time),
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> (String, Value) {
    let mut out = b"before".to_vec();
    write(&mut out);
    let line = String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned();
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    assert!(line.ends_with('\n'), "{line}");
    let value = serde_json::from_str(&line).unwrap();
    (line, value)
}

#[test]
fn an_answer_says_every_field_of_the_order() {
    let state = order(OrderStatus::Cancelled, Some(1), Some(Timestamp::MAX.micros()));
    let expected = json!({
        "order_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "customer_id": "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "total_amount": 9_007_199_254_740_991_u64,
        "status": "cancelled",
        "version": u32::MAX,
        "placed_at": "1970-01-01T00:00:00.000000Z",
        "completed_at": "1970-01-01T00:00:00.000001Z",
        "cancelled_at": "9999-12-31T23:59:59.999999Z",
    });
    for duplicate in [false, true] {
        let (line, answer) = written(|out| write_changed(out, "1.50", &state, Lsn(u64::MAX), duplicate));
        let result = json!({"order": expected, "lsn": u64::MAX, "duplicate": duplicate});
        assert_eq!(answer["result"], result);
        assert!(line.starts_with(r#"{"jsonrpc":"2.0","id":1.50,"result":{"order":{"order_id":""#), "{line}");
        assert!(line.len() <= ANSWER_BYTES + 4, "{} bytes is the most that an answer takes", line.len());
    }
    let (_, answer) = written(|out| write_found(out, "\"x\"", &state));
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": "x", "result": {"order": expected}}));
    let (_, answer) = written(|out| write_found(out, "null", &order(OrderStatus::Placed, None, None)));
    assert_eq!(answer["result"]["order"]["completed_at"], Value::Null);
    assert_eq!(answer["result"]["order"]["cancelled_at"], Value::Null);
    assert_eq!(answer["id"], Value::Null);
}

#[test]
fn an_error_is_one_line_whatever_its_message_holds() {
    let message = "a\n\"quote\" \\ \u{7} ü 🦀 \u{2028}";
    let error = RpcError::new(ErrorKind::StorageFull, message);
    let (_, answer) = written(|out| write_error(out, "7", &error));
    let expected = json!({"code": 1103, "message": message, "data": {"kind": "storage_full", "retryable": true}});
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 7, "error": expected}));
}

#[test]
fn every_error_has_the_code_and_kind_that_clients_know() {
    let table = [
        (ErrorKind::ParseError, -32700, "parse_error", false),
        (ErrorKind::InvalidRequest, -32600, "invalid_request", false),
        (ErrorKind::MethodNotFound, -32601, "method_not_found", false),
        (ErrorKind::InvalidParams, -32602, "invalid_params", false),
        (ErrorKind::InternalError, -32603, "internal_error", false),
        (ErrorKind::OrderNotFound, 1001, "order_not_found", false),
        (ErrorKind::OrderExists, 1002, "order_exists", false),
        (ErrorKind::InvalidTransition, 1003, "invalid_transition", false),
        (ErrorKind::CommandIdConflict, 1004, "command_id_conflict", false),
        (ErrorKind::Overloaded, 1101, "overloaded", true),
        (ErrorKind::ShuttingDown, 1102, "shutting_down", true),
        (ErrorKind::StorageFull, 1103, "storage_full", true),
        (ErrorKind::PermissionDenied, 1104, "permission_denied", false),
        (ErrorKind::LineTooLong, 1105, "line_too_long", false),
    ];
    for (kind, code, name, retryable) in table {
        let (_, answer) = written(|out| write_error(out, "1", &RpcError::new(kind, "m")));
        assert_eq!(answer["error"]["code"], code);
        assert_eq!(answer["error"]["data"], json!({"kind": name, "retryable": retryable}));
    }
}
