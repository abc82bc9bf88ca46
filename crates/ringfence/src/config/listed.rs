//! Host names on the lists of permitted and denied sources.

use super::address::AddressRange;
use super::name::Host;
use super::wrong::{Wrong, quoted};

/// Host names that one list may hold.
pub const MAX_LISTED_NAMES: usize = 64;

/// A host name on a list. It stands for the addresses that it has at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListName {
    /// The DNS name, in lower case.
    pub name: String,
    /// Whether private and link-local addresses that it has count too.
    pub private: bool,
    /// Why it is on the list.
    pub comment: Option<String>,
}

/// Reads an entry of a list: addresses, or the whole name of a host.
///
/// # Errors
/// What is wrong with it; a name without a dot is told as what it most often is, a slip.
pub fn listed(text: &str) -> Result<Host, Wrong> {
    match text.parse::<Host>() {
        Ok(Host::Name(name)) if !name.contains('.') => Err(Wrong::new(
            format!(
                "{} is neither an address nor the whole name of a host",
                quoted(text)
            ),
            "write an address, a prefix such as \"192.0.2.0/24\", \"FIRST-LAST\", or a name such as \"boss.dyndns.example\"",
        )),
        Ok(Host::Name(name)) if name.rsplit('.').next() == Some("localhost") => Err(Wrong::new(
            format!("{} is this host itself", quoted(text)),
            "leave it out: what this host sends itself is never dropped",
        )),
        // What is meant for an address is answered as one.
        Err(_) if text.contains(['/', ':']) && !text.contains("://") => {
            text.parse::<AddressRange>().map(Host::Range)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_addresses_and_whole_names() {
        for text in [
            "boss.dyndns.example",
            "192.0.2.0/28",
            "192.0.2.1-192.0.2.9",
            "::1",
        ] {
            assert_eq!(listed(text).unwrap().to_string(), text);
        }
        assert_eq!(
            listed("Boss.DynDNS.example.").unwrap(),
            Host::Name("boss.dyndns.example".into())
        );
        for (text, fix) in [
            ("office", "boss.dyndns.example"),
            ("localhost", "boss.dyndns.example"),
            ("pbx.localhost", "leave it out"),
            ("*.example.com", "each host name"),
            ("192.0.2.1:5060", "without the port"),
            ("192.0.2.300", "write an address"),
            ("sip:a@b.example", "write"),
        ] {
            let wrong = listed(text).unwrap_err();
            assert!(wrong.fix().contains(fix), "{text}: {wrong}");
        }
    }
}
