//! Bans for others, as they pass from the daemon to the command line.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::config::{AddressRange, Config, Host};
use crate::share::{Known, SharedBan, Skipped, select};
use crate::store::ListKind;
use crate::store::{Ban, Trust};
use crate::tables::Inputs;

/// The data of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The bans that others are given, by address.
    pub bans: Vec<SharedBan>,
    /// Those that they are not.
    pub kept_back: Skipped,
}

/// Answers with the bans that others are given.
pub fn bans(bans: &[SharedBan], skipped: Skipped) -> Answer {
    let export = Export {
        bans: bans.to_vec(),
        kept_back: skipped,
    };
    let text = format!("{} bans, {} kept back", bans.len(), skipped.all());
    Answer::done(text, serde_json::to_value(export).unwrap_or_default())
}

/// The same of what was stored: `inputs` are those of the policy, with the names of trunks and lists.
pub fn stored(
    all: &[Ban],
    trust: &Trust,
    config: &Config,
    inputs: &Inputs,
    unproved: bool,
    now: Timestamp,
) -> Answer {
    let listed = config.permit.iter().map(|entry| entry.range);
    let listed = listed.chain(inputs.ranges(ListKind::Permit));
    let proxies = config.proxies.iter().flat_map(|proxy| &proxy.addresses);
    let hosts = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
    let trunks = hosts.flat_map(|host| match host {
        Host::Range(range) => vec![*range],
        Host::Name(name) => {
            let addresses = inputs.resolved.get(name).into_iter().flatten();
            addresses.map(|ip| AddressRange::from(*ip)).collect()
        }
    });
    let registered = trust.registrations.iter();
    let registered = registered.filter(|row| row.until > now);
    let standing = trust.standings.iter().filter(|row| {
        let until = [row.known_until, row.solicited_until];
        until.into_iter().flatten().any(|until| until > now)
    });
    let trusted = registered.map(|row| row.address);
    let trusted = trusted.chain(standing.map(|row| row.address));
    let own = inputs.own.iter().copied();
    let addresses = trusted.chain(own).map(|ip: IpAddr| AddressRange::from(ip));
    let all_known = listed
        .chain(proxies.copied())
        .chain(trunks)
        .chain(addresses);
    let proved_only = config.share.proved_only && !unproved;
    let (shared, skipped) = select(all, &Known::new(all_known), proved_only, now);
    bans(&shared, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Standing;

    #[test]
    fn without_a_daemon_those_who_belong_are_kept_back_too() {
        let now = Timestamp::UNIX_EPOCH;
        let later = now + jiff::SignedDuration::from_secs(60);
        let ban = |address: &str| Ban {
            address: address.parse().unwrap(),
            prefix_len: 32,
            port: None,
            reason: "rate".into(),
            since: now,
            until: later,
            times: 1,
            proved: true,
            evidence: None,
            note: String::new(),
        };
        let config = Config::parse(
            "permit = [\"198.51.100.1\"]\n[[trunk]]\nname = \"p\"\nhosts = [\"198.51.100.2\", \"sip.p.example\"]\n\
             [[proxy]]\naddresses = [\"198.51.100.3\"]\n",
            "r.toml",
        )
        .unwrap();
        let mut inputs = Inputs::default();
        let trunk = vec!["198.51.100.4".parse().unwrap()];
        inputs.resolved.insert("sip.p.example".into(), trunk);
        let trust = Trust {
            standings: vec![Standing {
                address: "198.51.100.5".parse().unwrap(),
                since: now,
                known_until: Some(later),
                solicited_until: None,
            }],
            ..Trust::default()
        };
        let all: Vec<_> = (1..=6).map(|n| ban(&format!("198.51.100.{n}"))).collect();
        let answer = stored(&all, &trust, &config, &inputs, false, now);
        let export: Export = serde_json::from_value(answer.data).unwrap();
        assert_eq!(export.kept_back.known, 5);
        assert_eq!(export.bans.len(), 1);
        assert_eq!(export.bans[0].source(), "198.51.100.6");
    }
}
