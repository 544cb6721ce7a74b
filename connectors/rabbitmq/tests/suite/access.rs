//! Credentials and TLS.

use orderd_sink_testing::{Certificates, FakeDaemon, Program, Signal, Told, certificates, event, free_port};

use crate::setup::{BINARY, RabbitMq};

fn is_blocked(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: true, .. })
}

#[test]
fn a_wrong_password_a_missing_host_and_a_missing_permission_block_and_go_on_by_themselves_when_mended() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare();
    rabbitmq.ctl(&["add_user", "orderd", "right"]);
    rabbitmq.ctl(&["set_permissions", "orderd", "^$", "^$", "^$"]);
    let password = daemon.dir().join("secret");
    std::fs::write(&password, "wrong\n").unwrap();
    let keys = |host: &str| {
        format!(
            "url = \"amqp://orderd@127.0.0.1:{}/{host}\"\npassword_file = {password:?}\nexchange = \"orders\"\nrouting_key = \
             \"orders.x\"\n",
            rabbitmq.port
        )
    };
    let mut connector = Program::start(BINARY, &daemon, &keys("missing"));
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("ACCESS_REFUSED") || reason.contains("ACCESS-REFUSED"), "{reason}");
    std::fs::write(&password, "right\n").unwrap();
    connector.signal(Signal::HUP);
    daemon.wait_told(
        "no such host",
        |told| matches!(told, Told::Unavailable { blocked: true, reason, .. } if reason.contains("vhost")),
    );
    connector.stop();
    let connector = Program::start(BINARY, &daemon, &keys("%2f"));
    daemon.wait_told(
        "no permission",
        |told| matches!(told, Told::Unavailable { blocked: true, reason, .. } if reason.contains("access to exchange")),
    );
    rabbitmq.ctl(&["set_permissions", "orderd", "^$", ".*", "^$"]);
    daemon.wait_delivered(2);
    assert!(!daemon.told().iter().any(|told| matches!(told, Told::Rejected { .. } | Told::Failed { .. })));
    assert!(!connector.log().contains("right"));
}

#[test]
fn tls_with_a_client_certificate_delivers_and_a_server_of_a_strange_authority_blocks() {
    let daemon = FakeDaemon::start();
    let Certificates { ca, server_cert, server_key, client_cert, client_key, stranger } = certificates(daemon.dir());
    let port = free_port();
    let tls = format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = \
         {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true",
        ca.display(),
        server_cert.display(),
        server_key.display()
    );
    let rabbitmq = RabbitMq::on(daemon.dir(), free_port(), &tls);
    rabbitmq.declare();
    let keys = |ca: &std::path::Path| {
        format!(
            "url = \"amqps://localhost:{port}/%2f\"\nexchange = \"orders\"\nrouting_key = \"orders.x\"\nca_file = \
             {ca:?}\nclient_cert_file = {client_cert:?}\nclient_key_file = {client_key:?}\n"
        )
    };
    let mut connector = Program::start(BINARY, &daemon, &keys(&stranger));
    daemon.publish([event(1, 1, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("certificate"), "{reason}");
    connector.stop();
    let _connector = Program::start(BINARY, &daemon, &keys(&ca));
    daemon.wait_delivered(1);
    assert_eq!(rabbitmq.stored().len(), 1);
}
