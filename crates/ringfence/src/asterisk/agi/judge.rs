//! Who says whether a caller is a stranger.

use std::future::Future;
use std::net::IpAddr;

/// What is said of a caller's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the address may call here; if not, its caller is a stranger.
    pub ok: bool,
    /// Why, in the words of the order of judgement or of people.
    pub reason: String,
    /// The country's code (ISO 3166-1, or ZZ).
    pub country: String,
    /// The country's name.
    pub country_name: String,
}

impl Verdict {
    /// The verdict when the caller says to be `name`, a configured host with the addresses `resolved`: who calls from
    /// elsewhere is a stranger. A name never makes a stranger welcome, and one without addresses says nothing.
    #[must_use]
    pub fn named(self, name: &str, resolved: &[IpAddr], address: IpAddr) -> Self {
        let address = address.to_canonical();
        let own = |one: &IpAddr| one.to_canonical() == address;
        if !self.ok || resolved.is_empty() || resolved.iter().any(own) {
            return self;
        }
        Self {
            ok: false,
            reason: format!("says to be {name}, which has other addresses"),
            ..self
        }
    }
}

/// Who judges the callers of the dial plan.
pub trait Judge: Clone + Send + Sync + 'static {
    /// The verdict on the address that a call comes from. `name` is a configured host that the caller says to be (see
    /// [`Verdict::named`]); no other name gets here. None when it cannot be told; so is what takes longer than two
    /// seconds.
    fn judge(
        &self,
        address: IpAddr,
        name: Option<String>,
    ) -> impl Future<Output = Option<Verdict>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_only_be_held_against_a_caller() {
        let verdict = |ok| Verdict {
            ok,
            reason: "clean".into(),
            country: "GB".into(),
            country_name: "United Kingdom".into(),
        };
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let theirs = [at("192.0.2.1"), at("2001:db8::1")];
        let named = |ok, address| verdict(ok).named("sip.provider.example", &theirs, at(address));
        assert_eq!(named(true, "192.0.2.1"), verdict(true));
        assert_eq!(named(true, "::ffff:192.0.2.1"), verdict(true));
        assert_eq!(named(false, "192.0.2.1"), verdict(false));
        assert_eq!(named(false, "192.0.2.2"), verdict(false));
        let other = named(true, "192.0.2.2");
        assert!(
            !other.ok && other.reason.contains("sip.provider.example"),
            "{other:?}"
        );
        assert_eq!(other.country, "GB");
        assert_eq!(verdict(true).named("x", &[], theirs[0]), verdict(true));
    }
}
