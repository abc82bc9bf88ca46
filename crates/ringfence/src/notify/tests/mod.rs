//! Notices as they arrive: by real SMTP and HTTP on loopback, and at real commands.

mod commands;
mod http;
mod mails;
mod smtp;
mod webhooks;
mod whole;

use std::path::Path;
use std::sync::Arc;

use super::letter::Letter;
use super::pace::Item;
use super::{Notice, Way};
use crate::config::{Config, NoticeKind, Notify};

/// `[notify]` as the file has it.
fn config(text: &str) -> Notify {
    let config = Config::parse(text, "r.toml").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    config.notify
}

/// The one way of a configuration.
fn way(text: &str) -> Way {
    let mut ways = Way::all(&config(text), "pbx.example.com");
    assert_eq!(ways.len(), 1, "{ways:?}");
    ways.remove(0)
}

fn notice() -> Notice {
    Notice::new(NoticeKind::Ban, "banned 203.0.113.5 (failures)")
        .text("why\n.\nand where")
        .source("203.0.113.5".parse().unwrap())
        .undo("ringfence unban 203.0.113.5")
}

fn letter() -> Letter {
    Letter::new(&Item::One(Arc::new(notice())), "pbx.example.com")
}

/// A certificate for `localhost` that signs itself: its PEM in a file, and what a server shows it with.
fn certificate(directory: &Path) -> (String, tokio_rustls::TlsAcceptor) {
    use tokio_rustls::rustls::{ServerConfig, crypto, pki_types::PrivateKeyDer};
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = directory.join("ca.pem");
    std::fs::write(&path, own.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let provider = Arc::new(crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    (path.display().to_string(), Arc::new(server).into())
}
