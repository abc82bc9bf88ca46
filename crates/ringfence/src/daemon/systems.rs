//! The data of autonomous systems that a daemon needs.

use tracing::warn;

use crate::asn::{AsnData, AsnError};
use crate::config::Config;

/// Reads the data that a configuration names. Where no service judges by it, data that cannot be read is told, and the
/// fence stands without the names.
///
/// # Errors
/// When a service needs the data and it cannot be read.
pub(super) fn read(config: &Config) -> Result<AsnData, AsnError> {
    let needed = config
        .services
        .iter()
        .any(|service| !service.asn.is_empty());
    AsnData::open(&config.asn.db).or_else(|error| match needed {
        true => Err(error),
        false => {
            warn!("{error}; events go without names of networks");
            Ok(AsnData::default())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_service_makes_the_data_needed() {
        let file = "[asn]\ndb = \"/nonexistent/asn.mmdb\"\n[[service]]\nname = \"sip\"\n";
        let read = |text: &str| super::read(&Config::parse(text, "r.toml").unwrap());
        assert_eq!(read(file).unwrap(), AsnData::default());
        assert_eq!(read("").unwrap(), AsnData::default());
        let error = read(&format!("{file}asn = {{ deny = [5] }}")).unwrap_err();
        assert!(
            error.to_string().contains("/nonexistent/asn.mmdb"),
            "{error}"
        );
    }
}
