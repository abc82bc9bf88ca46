//! What is asked of the name servers.

/// How the addresses of a name are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// As a SIP client finds a server (RFC 3263 section 4): NAPTR, SRV, A and AAAA.
    Sip,
    /// As any program finds a host: A and AAAA.
    Host,
}

/// A name and how it is looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The name, in lower case.
    pub name: String,
    /// How its addresses are found.
    pub way: Way,
}

impl Question {
    /// A question about a trunk's host.
    pub fn sip(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            way: Way::Sip,
        }
    }

    /// A question about a host on a list.
    pub fn host(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            way: Way::Host,
        }
    }
}
