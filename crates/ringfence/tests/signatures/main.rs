//! The shipped signatures, each met by a message as it comes over the wire.

mod message;
mod samples;

use ringfence::config::Config;
use ringfence::engine::memory::Memory;
use ringfence::signature::{Condition, shipped};
use ringfence::tables::{self, Inputs};
use ringfence_core::automaton::Location;
use ringfence_core::country::CountryTable;
use ringfence_core::hash::Key;
use ringfence_core::packet::Link;
use ringfence_core::reason::Reason;
use zerocopy::FromZeros;

use message::{packet, repeating, with};
use samples::{REAL, SEVERAL, SINGLE};

const DAY: u64 = 86_400_000_000_000;

/// A fence with one service and this in its configuration.
struct Judge {
    memory: Memory,
    now: u64,
}

impl Judge {
    fn new(more: &str) -> Self {
        let text = format!("mode = \"enforce\"\n[[service]]\nname = \"sip\"\n{more}");
        let config = Config::parse(&text, "test.toml").unwrap_or_else(|wrong| panic!("{wrong}"));
        let generation = tables::compile(&config, &Inputs::default());
        let generation = generation.unwrap_or_else(|wrong| panic!("{wrong}"));
        let countries = CountryTable::new_box_zeroed().unwrap();
        let key = Key { words: [1, 2] };
        let memory = Memory::new(generation, countries, key);
        Self { memory, now: DAY }
    }

    /// Why a message of a source that was not heard of for a day is dropped: the reason, and the signature if it was one.
    fn judge(&mut self, message: &[u8]) -> (Reason, String) {
        self.now += DAY;
        let packet = packet([198, 51, 100, 7], message);
        let verdict = self.memory.judge(self.now, 31, Link::RawIp, &packet);
        let name = self.memory.names().signature(verdict.signature);
        (verdict.reason(), name.to_owned())
    }
}

/// The tables of the shipped list.
fn tables_of_the_list() -> Vec<toml::Table> {
    let text = include_str!("../../../../assets/signatures.toml");
    let list: toml::Table = text.parse().unwrap();
    let tables = list["signature"].as_array().unwrap().iter();
    tables
        .map(|table| table.as_table().unwrap().clone())
        .collect()
}

/// A fence with one signature of the list and no other, that drops at once where it would only add to a score.
fn alone(id: &str) -> Judge {
    let tables = tables_of_the_list();
    let mut table = tables
        .into_iter()
        .find(|t| t["id"].as_str() == Some(id))
        .unwrap();
    table.insert("id".into(), "alone".into());
    table.insert("enabled".into(), true.into());
    table.insert("action".into(), "drop".into());
    table.remove("points");
    let mut more = toml::Table::new();
    let others: Vec<_> = shipped().into_iter().map(|one| one.id).collect();
    let switches = toml::Table::from_iter([("disable".to_owned(), others.into())]);
    more.insert("signatures".into(), switches.into());
    more.insert("signature".into(), vec![table].into());
    Judge::new(&more.to_string())
}

#[test]
fn every_shipped_signature_hits_its_sample_and_not_its_near_miss() {
    for signature in shipped() {
        let id = signature.id.as_str();
        let mut alone = alone(id);
        let mut hit = |message: &[u8]| match alone.judge(message) {
            (Reason::Signature, name) if name == "alone" => true,
            (Reason::Clean, _) => false,
            other => panic!("{id}: {other:?}: {}", String::from_utf8_lossy(message)),
        };
        let single = SINGLE.iter().find(|sample| sample.0 == id);
        let several = SEVERAL.iter().find(|sample| sample.0 == id);
        match (&signature.conditions[..], single, several) {
            ([Condition::Text { location, .. }], Some((_, yes, no)), None) => {
                assert!(hit(&with(&[(*location, yes)])), "{id} misses {yes}");
                assert!(!hit(&with(&[(*location, no)])), "{id} hits {no}");
                let wrong = with(&[(Location::ToTag, yes)]);
                let anywhere = *location == Location::WholeMessage;
                assert!(anywhere || !hit(&wrong), "{id} hits at a wrong place");
            }
            ([_, _, ..], None, Some((_, yes, no))) => {
                assert!(hit(&with(yes)), "{id} misses {yes:?}");
                assert!(!hit(&with(no)), "{id} hits {no:?}");
            }
            ([Condition::Over { header, limit }], None, None) => {
                let limit = usize::from(*limit);
                assert!(!hit(&repeating(*header, limit)), "{id} at {limit}");
                assert!(hit(&repeating(*header, limit + 1)), "{id} above {limit}");
            }
            other => panic!("{id} needs one sample: {other:?}"),
        }
    }
}

#[test]
fn samples_belong_to_shipped_signatures() {
    let list = shipped();
    let single = SINGLE.iter().map(|sample| sample.0);
    for id in single.chain(SEVERAL.iter().map(|sample| sample.0)) {
        assert!(list.iter().any(|signature| signature.id == id), "{id}");
    }
}

#[test]
fn real_products_hit_nothing() {
    let mut all = Judge::new("");
    for name in REAL {
        let message = with(&[(Location::UserAgent, name)]);
        assert_eq!(all.judge(&message).0, Reason::Clean, "{name}");
        let register = with(&[(Location::UserAgent, name), (Location::CSeq, "2 REGISTER")]);
        assert_eq!(all.judge(&register).0, Reason::Clean, "{name}");
    }
}

/// The tools of SIPVicious, as they are and with another User-Agent.
#[test]
fn sipvicious_is_caught_by_name_and_by_shape() {
    let mut all = Judge::new("");
    let svwar = |agent: &'static str| {
        with(&[
            (Location::RequestLine, "REGISTER sip:192.0.2.1 SIP/2.0"),
            (Location::UserAgent, agent),
            (Location::FromUser, "100"),
            (Location::Contact, "sip:100@192.0.2.1"),
            (Location::ViaBranch, "z9hG4bK-2873912231"),
            (Location::CallId, "1288493311"),
            (Location::CSeq, "1 REGISTER"),
            (Location::Accept, "application/sdp"),
        ])
    };
    let (reason, name) = all.judge(&svwar("friendly-scanner"));
    assert_eq!(
        (reason, name.as_str()),
        (Reason::Signature, "ua-friendly-scanner")
    );
    let (reason, name) = all.judge(&svwar("Yealink SIP-T46S 66.86.0.15"));
    assert_eq!(reason, Reason::Signature, "{name}");
    assert!(name.starts_with("sipvicious-"), "{name}");
    let (_, name) = all.judge(&with(&[(Location::FromTag, "3206210844")]));
    assert_eq!(name, "svcrack-tag");
}
