//! Credentials and TLS.

use orderd_sink_testing::scenarios::certificates_are_checked;
use orderd_sink_testing::{FakeDaemon, Program, Signal, Target as _, Told, certificates, event, free_port};

use crate::setup::RabbitMq;

fn says(word: &str) -> impl Fn(&Told) -> bool {
    move |told| told.is_blocked() && told.reason().contains(word)
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
    let mut connector = Program::start(RabbitMq::BINARY, &daemon, &keys("missing"));
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("ACCESS_REFUSED") || reason.contains("ACCESS-REFUSED"), "{reason}");
    std::fs::write(&password, "right\n").unwrap();
    connector.signal(Signal::HUP);
    daemon.wait_told("no such host", says("vhost"));
    connector.stop();
    let connector = Program::start(RabbitMq::BINARY, &daemon, &keys("%2f"));
    daemon.wait_told("no permission", says("access to exchange"));
    rabbitmq.ctl(&["set_permissions", "orderd", "^$", ".*", "^$"]);
    daemon.wait_delivered(2);
    daemon.assert_nothing_blamed();
    assert!(!connector.log().contains("right"));
}

#[test]
fn tls_with_a_client_certificate_delivers_and_a_server_of_a_strange_authority_blocks() {
    let daemon = FakeDaemon::start();
    let files = certificates(daemon.dir());
    let port = free_port();
    let tls = format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = \
         {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true",
        files.ca.display(),
        files.server_cert.display(),
        files.server_key.display()
    );
    let rabbitmq = RabbitMq::on(daemon.dir(), free_port(), &tls);
    rabbitmq.declare();
    let keys = format!("url = \"amqps://localhost:{port}/%2f\"\nexchange = \"orders\"\nrouting_key = \"orders.x\"\n");
    let _connector = certificates_are_checked(RabbitMq::BINARY, &daemon, &keys, &files);
    assert_eq!(rabbitmq.stored().len(), 1);
}
