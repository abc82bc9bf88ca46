//! TLS for requests.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Believes the authorities of the system, for https, and those in the PEM file `ca`.
///
/// # Errors
/// Says what is wrong with the file.
pub(crate) fn tls(https: bool, ca: Option<&Path>) -> Result<TlsConfig, String> {
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    if https {
        let system = rustls_native_certs::load_native_certs().certs;
        let system = system
            .iter()
            .map(|der| Certificate::from_der(der).to_owned());
        roots.extend(system);
    }
    if let Some(path) = ca {
        let wrong = |why: String| format!("{}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let before = roots.len();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(own) = item.map_err(|error| wrong(error.to_string()))? {
                roots.push(own);
            }
        }
        if roots.len() == before {
            return Err(wrong("there is no certificate in it".to_owned()));
        }
    }
    let roots = RootCerts::new_with_certs(&roots);
    Ok(TlsConfig::builder().root_certs(roots).build())
}
