//! TLS.

use rcgen::CertifiedKey;
use ringfence_lab::provider::{Page, Provider};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{Place, data};
use crate::fetch::Ask;

/// A door with TLS before `server`, as `localhost`, signed by itself; its port and certificate in PEM.
fn door(server: &Provider) -> (u16, String) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let to = server.address();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            // Of each test a few connections; the thread ends with the process.
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            }
        });
    });
    (port, cert.pem())
}

#[test]
fn a_server_must_be_known() {
    let place = Place::new();
    place.server.put("/a", Page::new(data(100_000)));
    let (port, pem) = door(&place.server);
    let ask = Ask::new(&format!("https://localhost:{port}/a")).limits(super::quick());
    let shown = place.fetch(&ask).unwrap_err().to_string();
    assert!(shown.contains("certificate"), "{shown}");
    assert!(place.server.asked().is_empty());
    let ca = place.directory.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    place.new_data(&ask.clone().ca(Some(&ca)));
    assert_eq!(place.held(), data(100_000));
    std::fs::write(&ca, "nothing").unwrap();
    let shown = place.fetch(&ask.ca(Some(&ca))).unwrap_err().to_string();
    assert!(shown.contains("no certificate in it"), "{shown}");
}

#[test]
fn a_redirect_never_leaves_tls() {
    let place = Place::new();
    let plain = place.server.url("/data");
    place.server.put("/data", Page::new(data(10)));
    place.server.put("/a", Page::redirect(&plain));
    let (port, pem) = door(&place.server);
    let ca = place.directory.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let ask = Ask::new(&format!("https://localhost:{port}/a")).ca(Some(&ca));
    let shown = place.fetch(&ask).unwrap_err().to_string();
    assert!(shown.contains("without TLS"), "{shown}");
    assert!(place.server.asked_for("/data").is_empty());
}
