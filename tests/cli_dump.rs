//! `orderd dump`: the journal as lines of JSON, one a plan.

use serde_json::{Value, json};

use crate::support::{Cli, Client, Daemon, Store, events_of, files, flip_byte, keys, orderd, uuid};

#[track_caller]
fn plans(store: &Store, args: &[&str]) -> Vec<Value> {
    let run = orderd(store, &[&["dump"], args].concat()).expect(0);
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One order through all its states and one refused command, with the answers.
fn history(client: &mut Client) -> Vec<Value> {
    let order = client.place(5);
    let id = json!({"order_id": order});
    let placed = client.result("order.get", id.clone());
    let completed = client.result("order.complete", id.clone());
    client.call("order.complete", id).unwrap_err();
    let cancelled =
        client.result("order.cancel", json!({"order_id": order, "reason": "why not", "command_id": uuid()}));
    vec![placed, completed, cancelled]
}

#[test]
fn each_plan_is_one_line_with_its_order_and_its_events() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let answers = history(&mut Client::connect(&store));
    let published = events_of(&store, 3);
    for running in [true, false] {
        if !running {
            daemon.stop();
        }
        let before = files(&store.data_dir());
        let mut plans = plans(&store, &[]);
        if !running {
            assert!(files(&store.data_dir()) == before, "dump changes nothing");
        }
        let decision = plans.remove(0);
        assert_eq!(keys(&decision), ["delivery", "lsn"]);
        let delivery = &decision["delivery"];
        assert_eq!((&delivery["kind"], &delivery["sink"]), (&json!("registered"), &json!("events")));
        assert_eq!(plans.len(), 3, "a refused command leaves nothing: {plans:?}");
        for (index, plan) in plans.iter().enumerate() {
            assert_eq!(keys(plan), ["events", "lsn", "order"]);
            if let Some(lsn) = answers[index].get("lsn") {
                assert_eq!(&plan["lsn"], lsn, "the number that the client was told");
            }
            assert_eq!(plan["order"], answers[index]["order"]);
            assert_eq!(plan["events"], json!([published[index]]), "what a sink saw is in the journal");
        }
    }
}

#[test]
fn from_skips_what_came_before() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..10 {
        client.place(amount);
    }
    let all = plans(&store, &[]);
    // The first plan registers the sink.
    assert_eq!(all.len(), 11);
    for plan in &all {
        let lsn = plan["lsn"].as_u64().unwrap();
        let expected: Vec<&Value> = all.iter().filter(|other| other["lsn"].as_u64().unwrap() >= lsn).collect();
        assert_eq!(json!(plans(&store, &["--from", &lsn.to_string()])), json!(expected));
    }
    let last = all[10]["lsn"].as_u64().unwrap();
    assert!(plans(&store, &["--from", &(last + 1).to_string()]).is_empty());
}

#[test]
fn a_dump_while_commands_run_is_whole_plans_in_order() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let data_dir = store.data_dir().display().to_string();
    // The registration of the sink.
    let mut expected = 1;
    let mut client = Client::connect(&store);
    for _ in 0..10 {
        for amount in 0..30 {
            client.place(amount);
        }
        expected += 30;
        // By its folder, without any configuration.
        let run = Cli::new(&["dump", "--data-dir", &data_dir]).dir(std::path::Path::new("/")).run().expect(0);
        let mut lsn = 0;
        for line in run.stdout.lines() {
            let plan: Value = serde_json::from_str(line).unwrap();
            assert!(plan["lsn"].as_u64().unwrap() > lsn);
            lsn = plan["lsn"].as_u64().unwrap();
        }
        assert_eq!(run.stdout.lines().count(), expected);
    }
}

#[test]
fn a_damaged_journal_is_dumped_up_to_the_damage_and_exits_65() {
    let store = Store::new();
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    for amount in 0..50 {
        client.place(amount);
    }
    daemon.stop();
    let whole = plans(&store, &[]);
    flip_byte(&store.segments()[0], 4000);
    let run = orderd(&store, &["dump"]).expect(65);
    assert!(run.stderr.contains("offset"), "{}", run.stderr);
    let part: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(part.len() < whole.len());
    assert_eq!(part[..], whole[..part.len()], "nothing behind the damage, nothing wrong before it");
}

#[test]
fn a_dump_from_a_plan_on_reads_nothing_before_its_segment() {
    let store = Store::with("", "[executor]\nbatch_bytes_max = 16384\n\n[journal]\nsegment_bytes = 65536\n");
    let mut daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let order = client.place(1);
    while store.segments().len() < 4 {
        client.place(1);
    }
    client.result("order.complete", json!({"order_id": order}));
    daemon.stop();
    let whole = plans(&store, &[]);
    let last = whole.last().unwrap();
    assert_eq!((&last["order"]["order_id"], &last["order"]["status"]), (&json!(order), &json!("completed")));
    flip_byte(&store.segments()[0], 4000);
    orderd(&store, &["dump"]).expect(65);
    assert_eq!(plans(&store, &["--from", &last["lsn"].to_string()])[..], whole[whole.len() - 1..]);
}
