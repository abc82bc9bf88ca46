//! URLs and header fields of HTTP, as the file writes them. Both may hold secrets, so neither is shown whole.

use std::fmt;
use std::str::FromStr;

use ureq::http::{HeaderName, HeaderValue, Uri};

use super::secret::Secret;
use super::wrong::{Wrong, quoted};

/// An http or https URL. Who knows its path may often write there, so only its host is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebAddress {
    url: Secret,
    shown: String,
}

impl WebAddress {
    /// The whole URL.
    pub fn expose(&self) -> &str {
        self.url.expose()
    }
}

impl fmt::Display for WebAddress {
    /// Scheme, host and port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebAddress({}/..)", self.shown)
    }
}

/// A header field of HTTP, written `Name: value`. Its value is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderLine {
    /// The name in lower case.
    pub name: String,
    /// The value.
    pub value: Secret,
}

impl FromStr for WebAddress {
    type Err = Wrong;

    /// What is wrong is said without the URL, which may hold a secret.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| {
            Wrong::new(
                format!("the URL {why}"),
                "write it whole, such as \"https://hooks.example.com/ringfence\"",
            )
        };
        let uri: Uri = text.parse().map_err(|_| wrong("cannot be read"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            return Err(wrong("does not begin with https:// or http://"));
        }
        let authority = uri.authority().map(|a| a.as_str()).unwrap_or_default();
        if authority.is_empty() {
            return Err(wrong("has no host"));
        }
        if authority.contains('@') {
            return Err(Wrong::new(
                "a user stands in the URL",
                "write headers = [\"Authorization: Basic ...\"] in its place",
            ));
        }
        Ok(Self {
            shown: format!("{scheme}://{authority}"),
            url: Secret::new(text),
        })
    }
}

impl FromStr for HeaderLine {
    type Err = Wrong;

    /// What is wrong is said without the value, which may be a secret.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        /// Those that the request itself writes.
        const OURS: [&str; 8] = [
            "connection",
            "content-length",
            "content-type",
            "expect",
            "host",
            "transfer-encoding",
            "upgrade",
            "x-ringfence-signature",
        ];
        let wrong = |what: &str, fix: &str| Wrong::new(what, fix);
        let (name, value) = text.split_once(':').ok_or_else(|| {
            let what = "a header field has no colon";
            wrong(what, "write name and value: \"Authorization: Bearer ...\"")
        })?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            let what = format!("{} cannot name a header field", quoted(name));
            wrong(&what, "write letters, digits and \"-\" before the colon")
        })?;
        if OURS.contains(&name.as_str()) {
            let what = format!("the header field `{name}` is written by Ringfence");
            return Err(wrong(&what, "leave it out"));
        }
        let value = value.trim();
        if HeaderValue::from_str(value).is_err() {
            let what =
                format!("the value of the header field `{name}` has a byte that none may have");
            return Err(wrong(&what, "write visible ASCII and spaces alone"));
        }
        Ok(Self {
            name: name.as_str().to_owned(),
            value: Secret::new(value),
        })
    }
}
