//! Host names of trunks, looked up as a SIP client would: SRV (RFC 3263 section 4), then A and AAAA.
//!
//! All functions that are `async` need a tokio runtime with I/O and time.

mod names;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

pub use names::Names;

/// Addresses taken of one host name; the rest is left out.
pub const MOST_ADDRESSES: usize = 64;
/// Targets taken of one SRV set.
const MOST_TARGETS: usize = 16;
/// An answer is asked for again no sooner than this.
pub const SHORTEST: Duration = Duration::from_secs(30);
/// An answer is asked for again no later than this.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// Where SIP is found (RFC 3263 section 4.1).
const SERVICES: [&str; 3] = ["_sip._udp", "_sip._tcp", "_sips._tcp"];

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No name server is known.
    #[error("cannot read the name servers of this host: {0}; name one in /etc/resolv.conf")]
    Configuration(NetError),
    /// Not a host name.
    #[error("`{host}` is no host name: {source}; correct the trunk's hosts")]
    Name {
        /// As it was given.
        host: String,
        /// What is wrong with it.
        source: ProtoError,
    },
    /// The name servers answered: there is nothing.
    #[error("`{0}` has neither SRV records of SIP nor addresses; correct the trunk's hosts")]
    Nothing(String),
    /// The name servers answered with addresses that no packet comes from.
    #[error(
        "`{0}` has no address that a provider can send from, such as 127.0.0.1; correct the trunk's hosts"
    )]
    Useless(String),
    /// The name servers did not answer.
    #[error("`{host}` cannot be looked up: {source}; see whether the name servers answer")]
    Unanswered {
        /// The name.
        host: String,
        /// What the resolver said last.
        source: NetError,
    },
}

/// The addresses of a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Sorted, each once, at most [`MOST_ADDRESSES`]; never empty.
    pub addresses: Vec<IpAddr>,
    /// How long they hold: the shortest TTL, at least [`SHORTEST`] and at most [`LONGEST`].
    pub valid_for: Duration,
    /// Whether each of the questions was answered; if not, more addresses may exist.
    pub whole: bool,
    /// Addresses above [`MOST_ADDRESSES`], which were left out.
    pub left_out: usize,
}

/// Asks this host's name servers.
pub struct Resolver {
    inner: TokioResolver,
}

/// What was found of a name so far.
struct Found {
    addresses: BTreeSet<IpAddr>,
    until: Option<Instant>,
    failure: Option<NetError>,
    /// Some address was none that a packet comes from.
    useless: bool,
}

impl Resolver {
    /// With the name servers of `/etc/resolv.conf`.
    pub fn new() -> Result<Self, Error> {
        let mut builder = TokioResolver::builder_tokio().map_err(Error::Configuration)?;
        // Whoever asks keeps the answer for its TTL: a cache here would only make it older.
        builder.options_mut().cache_size = 0;
        let inner = builder.build().map_err(Error::Configuration)?;
        Ok(Self { inner })
    }

    /// The addresses behind a host name: of the targets of its SRV records and its own.
    pub async fn lookup(&self, host: &str) -> Result<Answer, Error> {
        let wrong = |source| Error::Name {
            host: host.to_owned(),
            source,
        };
        // With the final dot no search domain is tried.
        let mut name = Name::from_utf8(host).map_err(wrong)?;
        name.set_fqdn(true);
        let mut found = Found {
            addresses: BTreeSet::new(),
            until: None,
            failure: None,
            useless: false,
        };
        let mut hosts = BTreeSet::from([name]);
        for service in SERVICES {
            let service = Name::from_utf8(format!("{service}.{}", host.trim_end_matches('.')));
            let mut service = service.map_err(wrong)?;
            service.set_fqdn(true);
            for data in self.ask(service, RecordType::SRV, &mut found).await {
                if let RData::SRV(record) = data
                    && !record.target.is_root()
                    && hosts.len() <= SERVICES.len() * MOST_TARGETS
                {
                    hosts.insert(record.target);
                }
            }
        }
        for host in hosts {
            for kind in [RecordType::A, RecordType::AAAA] {
                for data in self.ask(host.clone(), kind, &mut found).await {
                    match data {
                        RData::A(address) => found.add(IpAddr::V4(address.0)),
                        RData::AAAA(address) => found.add(IpAddr::V6(address.0)),
                        _ => {}
                    }
                }
            }
        }
        found.answer(host)
    }

    /// The names that the name servers give for an address; none where they do not answer.
    pub async fn reverse(&self, address: IpAddr) -> Option<Vec<String>> {
        match self
            .inner
            .lookup(Name::from(address), RecordType::PTR)
            .await
        {
            Ok(lookup) => {
                let records = lookup.answers().iter().take(MOST_TARGETS);
                let names = records.filter_map(|record| match &record.data {
                    RData::PTR(name) => Some(name.0.to_utf8()),
                    _ => None,
                });
                Some(names.collect())
            }
            Err(error) => error.is_no_records_found().then(Vec::new),
        }
    }

    /// The records of one question; what goes wrong is noted.
    async fn ask(&self, name: Name, kind: RecordType, found: &mut Found) -> Vec<RData> {
        match self.inner.lookup(name, kind).await {
            Ok(lookup) => {
                let until = lookup.valid_until();
                found.until = Some(found.until.map_or(until, |earlier| earlier.min(until)));
                lookup
                    .answers()
                    .iter()
                    .filter(|record| record.record_type() == kind)
                    .map(|record| record.data.clone())
                    .collect()
            }
            Err(error) => {
                if !error.is_no_records_found() {
                    found.failure = Some(error);
                }
                Vec::new()
            }
        }
    }
}

impl Found {
    /// Takes an address that can be a provider's. Private ones can: the provider's device may stand in the next room.
    fn add(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        if broadcast || address.is_loopback() || address.is_unspecified() || address.is_multicast()
        {
            self.useless = true;
        } else {
            self.addresses.insert(address);
        }
    }

    fn answer(self, host: &str) -> Result<Answer, Error> {
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()))
            .unwrap_or_default();
        let left_out = self.addresses.len().saturating_sub(MOST_ADDRESSES);
        let addresses: Vec<_> = self.addresses.into_iter().take(MOST_ADDRESSES).collect();
        match (addresses.is_empty(), self.failure) {
            (true, Some(source)) => Err(Error::Unanswered {
                host: host.to_owned(),
                source,
            }),
            (true, None) if self.useless => Err(Error::Useless(host.to_owned())),
            (true, None) => Err(Error::Nothing(host.to_owned())),
            (false, failure) => Ok(Answer {
                addresses,
                valid_for: left.clamp(SHORTEST, LONGEST),
                whole: failure.is_none(),
                left_out,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
