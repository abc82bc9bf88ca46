//! Host names, looked up: those of trunks as a SIP client would (RFC 3263 section 4: NAPTR, SRV, then A and AAAA), those
//! on lists by A and AAAA alone.
//!
//! All functions that are `async` need a tokio runtime with I/O and time.

mod names;
mod question;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::rr::rdata::NAPTR;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

pub use names::{GRACE, Names};
pub use question::{Question, Way};

/// Addresses taken of one host name; the rest is left out.
pub const MOST_ADDRESSES: usize = 64;
/// Targets taken of one SRV set, and of one NAPTR set.
const MOST_TARGETS: usize = 16;
/// Hosts whose addresses are asked for in one look-up: the name and the targets of its SRV records.
const MOST_HOSTS: usize = 1 + 3 * MOST_TARGETS;
/// How long one look-up may take, with all its questions.
const PATIENCE: Duration = Duration::from_secs(30);
/// Addresses counted of one host name: an answer holds no more over TCP.
const MOST_READ: usize = 4096;
/// An answer is asked for again no sooner than this.
pub const SHORTEST: Duration = Duration::from_secs(30);
/// An answer is asked for again no later than this.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// Where SIP is found where no NAPTR record says (RFC 3263 section 4.1).
const SERVICES: [&str; 3] = ["_sip._udp", "_sip._tcp", "_sips._tcp"];
/// The services of NAPTR records that lead to SRV records of SIP (RFC 3263 section 4.1, RFC 7118 section 7).
const SIP_SERVICES: [&[u8]; 6] = [
    b"SIP+D2U",
    b"SIP+D2T",
    b"SIPS+D2T",
    b"SIP+D2S",
    b"SIP+D2W",
    b"SIPS+D2W",
];

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No name server is known.
    #[error("cannot read the name servers of this host: {0}; name one in /etc/resolv.conf")]
    Configuration(NetError),
    /// Not a host name.
    #[error("`{host}` is no host name: {source}; correct it where it is written")]
    Name {
        /// As it was given.
        host: String,
        /// What is wrong with it.
        source: ProtoError,
    },
    /// The name servers answered: there is nothing.
    #[error("`{0}` has no addresses; correct the name where it is written, or take it out")]
    Nothing(String),
    /// The name servers answered with addresses that no packet comes from.
    #[error(
        "`{0}` has no address that anybody else can send from, only such as 127.0.0.1; correct the name where it is written"
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
    /// The name servers took too long over all that was to be asked.
    #[error("`{0}` was not looked up within 30 seconds; see whether the name servers answer")]
    Late(String),
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

    /// The addresses behind a name. Of a trunk's host: those of the targets of its SRV records, which NAPTR records name
    /// or else the usual ones, and its own. Aliases are followed eight deep.
    ///
    /// # Errors
    /// When there is none, or the name servers do not answer within 30 seconds.
    pub async fn lookup(&self, question: &Question) -> Result<Answer, Error> {
        let host = &question.name;
        let asked = tokio::time::timeout(PATIENCE, self.addresses(question)).await;
        asked.unwrap_or_else(|_| Err(Error::Late(host.clone())))
    }

    async fn addresses(&self, question: &Question) -> Result<Answer, Error> {
        let host = question.name.as_str();
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
        let mut hosts = BTreeSet::from([name.clone()]);
        if question.way == Way::Sip {
            for service in self.services(name, host, &mut found).await.map_err(wrong)? {
                let records = self.ask(service, RecordType::SRV, &mut found).await;
                for data in records.into_iter().take(MOST_TARGETS) {
                    if let RData::SRV(record) = data
                        && !record.target.is_root()
                        && hosts.len() < MOST_HOSTS
                    {
                        hosts.insert(record.target);
                    }
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

    /// Where the SRV records of a domain are: where its NAPTR records of SIP say, else in the usual places.
    async fn services(
        &self,
        name: Name,
        host: &str,
        found: &mut Found,
    ) -> Result<BTreeSet<Name>, ProtoError> {
        let records = self.ask(name, RecordType::NAPTR, found).await;
        let named = records.into_iter().filter_map(|data| match data {
            RData::NAPTR(record) => srv_of(record),
            _ => None,
        });
        let named: BTreeSet<_> = named.take(MOST_TARGETS).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let usual = SERVICES.iter().map(|service| {
            let name = format!("{service}.{}", host.trim_end_matches('.'));
            let mut name = Name::from_utf8(name)?;
            name.set_fqdn(true);
            Ok(name)
        });
        usual.collect()
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

/// The addresses of this host's name servers; none where they cannot be read.
pub fn name_servers() -> Vec<IpAddr> {
    let read = hickory_resolver::system_conf::read_system_conf();
    let servers = read.map(|(config, _)| config.name_servers);
    let servers = servers.unwrap_or_default();
    servers
        .iter()
        .map(|server| server.ip.to_canonical())
        .collect()
}

/// The name of the SRV records that a NAPTR record of SIP leads to (RFC 3263 section 4.1): its flag is `s`, and it has a
/// replacement in place of an expression.
fn srv_of(record: NAPTR) -> Option<Name> {
    let sip = SIP_SERVICES
        .iter()
        .any(|service| record.services.eq_ignore_ascii_case(service));
    let plain = record.flags.eq_ignore_ascii_case(b"s") && record.regexp.is_empty();
    (sip && plain && !record.replacement.is_root()).then_some(record.replacement)
}

impl Found {
    /// Takes an address that somebody else can have. Private ones are such: the device may stand in the next room.
    fn add(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        // 0.0.0.0/8 is this host (RFC 1122 section 3.2.1.3), 240.0.0.0/4 is nobody's (RFC 1112 section 4).
        let nobody =
            matches!(address, IpAddr::V4(v4) if matches!(v4.octets(), [0 | 240..=255, ..]));
        if nobody || address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            self.useless = true;
        } else if self.addresses.len() < MOST_READ {
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
