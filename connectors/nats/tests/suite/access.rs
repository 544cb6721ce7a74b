//! Credentials and TLS.

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::Config;
use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use orderd_sink_testing::scenarios::{a_wrong_password_blocks_until_it_is_mended, certificates_are_checked};
use orderd_sink_testing::{FakeDaemon, Target as _, certificates, event};
use serde_json::{Value, json};

use crate::setup::{Nats, orders};

fn admin() -> ConnectOptions {
    ConnectOptions::new().user_and_password("admin".to_owned(), "admin".to_owned())
}

#[test]
fn a_wrong_password_blocks_parks_nothing_and_goes_on_by_itself_when_mended() {
    let daemon = FakeDaemon::start();
    let users = "authorization { users: [ { user: orderd, password: right }, { user: admin, password: admin } ] }";
    let nats = Nats::with(daemon.dir(), users);
    nats.create_stream_as(&nats.context_as(admin()), orders());
    let keys = nats.keys() + "user = \"orderd\"\n";
    let reason = a_wrong_password_blocks_until_it_is_mended(Nats::BINARY, &daemon, &keys, "right");
    assert!(reason.contains("authorization violation"), "{reason}");
}

#[test]
fn a_user_that_may_not_publish_blocks_and_one_that_may_only_publish_delivers() {
    let daemon = FakeDaemon::start();
    let users = |subject: &str| {
        format!(
            "authorization {{ users: [ {{ user: admin, password: admin }}, {{ user: orderd, password: x, permissions: \
             {{ publish: [\"{subject}\"], subscribe: [\"_INBOX.>\"] }} }} ] }}"
        )
    };
    let mut nats = Nats::with(daemon.dir(), &users("elsewhere"));
    nats.create_stream_as(&nats.context_as(admin()), orders());
    std::fs::write(daemon.dir().join("password"), "x").unwrap();
    let connector = nats.connector(&daemon, "user = \"orderd\"\npassword_file = \"password\"\n");
    daemon.publish([event(1, 1, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("orders.OrderPlaced"), "{reason}");
    nats.server.stop();
    let nats = Nats::on(daemon.dir(), nats.port, &users("orders.>"));
    daemon.wait_delivered(1);
    assert_eq!(nats.stored_as(&nats.context_as(admin())).len(), 1);
    assert!(connector.log().contains("its duplicate window is not checked"));
}

#[test]
fn a_token_and_an_nkey_are_shown() {
    let key = KeyPair::new_user();
    let nkey = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", key.public_key());
    let seed = key.seed().unwrap();
    for (server, file, secret) in
        [("authorization { token: t0ken }", "token_file", "t0ken"), (nkey.as_str(), "nkey_file", seed.as_str())]
    {
        let daemon = FakeDaemon::start();
        let nats = Nats::with(daemon.dir(), server);
        let options = match file {
            "token_file" => ConnectOptions::new().token(secret.to_owned()),
            _ => ConnectOptions::new().nkey(secret.to_owned()),
        };
        nats.create_stream_as(&nats.context_as(options), orders());
        std::fs::write(daemon.dir().join("secret"), format!("{secret}\n")).unwrap();
        let connector = nats.connector(&daemon, &format!("{file} = \"secret\"\n"));
        daemon.publish([event(1, 1, 1)]);
        daemon.wait_delivered(1);
        assert!(!connector.log().contains(secret));
    }
}

/// Claims that `issuer` has signed, as NATS writes them.
fn token(issuer: &KeyPair, subject: &KeyPair, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let (issuer_key, subject_key) = (issuer.public_key(), subject.public_key());
    let claims =
        json!({"jti": subject_key, "iat": 1, "iss": issuer_key, "sub": subject_key, "name": "x", "nats": claims});
    let signed = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(&claims));
    let signature = BASE64URL_NOPAD.encode(&issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[test]
fn a_credentials_file_is_shown() {
    let (operator, system) = (KeyPair::new_operator(), KeyPair::new_account());
    let (account, user) = (KeyPair::new_account(), KeyPair::new_user());
    let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
        "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1});
    let of_account = json!({"type": "account", "version": 2, "limits": limits});
    let of_system =
        json!({"type": "account", "version": 2, "limits": {"subs": -1, "data": -1, "payload": -1, "conn": -1}});
    let of_user = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let server = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        token(&operator, &operator, &json!({"type": "operator", "version": 2})),
        system.public_key(),
        system.public_key(),
        token(&operator, &system, &of_system),
        account.public_key(),
        token(&operator, &account, &of_account),
    );
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n------END \
         USER NKEY SEED------\n",
        token(&account, &user, &of_user),
        user.seed().unwrap()
    );
    let daemon = FakeDaemon::start();
    let nats = Nats::with(daemon.dir(), &server);
    nats.create_stream_as(&nats.context_as(ConnectOptions::with_credentials(&credentials).unwrap()), orders());
    let file = daemon.dir().join("secret");
    std::fs::write(&file, "no credentials\n").unwrap();
    let connector = nats.connector(&daemon, "credentials_file = \"secret\"\n");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_blocked();
    std::fs::write(&file, &credentials).unwrap();
    daemon.wait_delivered(1);
    assert!(!connector.log().contains(&user.seed().unwrap()));
}

#[test]
fn tls_with_a_client_certificate_delivers_and_a_server_of_a_strange_authority_blocks() {
    let daemon = FakeDaemon::start();
    let files = certificates(daemon.dir());
    let (cert, key, ca) = (&files.server_cert, &files.server_key, &files.ca);
    let tls = format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}");
    let nats = Nats::with(daemon.dir(), &tls);
    async_nats::rustls::crypto::ring::default_provider().install_default().ok();
    let options = ConnectOptions::new()
        .add_root_certificates(files.ca.clone())
        .add_client_certificate(files.client_cert.clone(), files.client_key.clone())
        .require_tls(true);
    let context = nats.context_as(options);
    nats.create_stream_as(&context, Config { ..orders() });
    let keys = nats.keys().replace("nats://", "tls://");
    let _connector = certificates_are_checked(Nats::BINARY, &daemon, &keys, &files);
    assert_eq!(nats.stored_as(&context).len(), 1);
}
