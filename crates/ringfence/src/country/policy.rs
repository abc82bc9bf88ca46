//! What a change of country data means for the policy: who gains access and who loses it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::{Country, CountryData, CountrySet, Piece, all_differences, differences};
use crate::config::Config;
use crate::tables::{self, Inputs};

/// The countries that each service admits which admits by country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted(Vec<(String, CountrySet)>);

impl Admitted {
    /// Of a configuration and what was said by command.
    pub fn of(config: &Config, inputs: &Inputs) -> Self {
        let services = config
            .services
            .iter()
            .filter(|service| service.from.by_country());
        let admitted = services.map(|service| {
            (
                service.name.clone(),
                tables::countries(config, inputs, service),
            )
        });
        Self(admitted.collect())
    }

    /// All countries that any service admits.
    pub fn any(&self) -> CountrySet {
        self.0.iter().flat_map(|(_, set)| set.iter()).collect()
    }

    /// Whether nothing goes by country.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What an address may lose and gain, at a service or at any, where its country changes.
    fn change(&self, service: Option<&str>, before: Country, after: Country) -> Change {
        let services = self
            .0
            .iter()
            .filter(|(name, _)| service.is_none_or(|one| one == name));
        let mut change = Change::default();
        for (_, set) in services {
            match (set.contains(before), set.contains(after)) {
                (true, false) => change.loses = true,
                (false, true) => change.gains = true,
                _ => {}
            }
        }
        change
    }
}

#[derive(Clone, Copy, Default)]
struct Change {
    loses: bool,
    gains: bool,
}

/// Addresses that change sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// IPv4 addresses.
    pub ipv4: u64,
    /// /64 networks of IPv6.
    pub ipv6_64s: u64,
}

impl Count {
    fn add(&mut self, piece: &Piece) {
        let count = match piece.first {
            IpAddr::V4(_) => &mut self.ipv4,
            IpAddr::V6(_) => &mut self.ipv6_64s,
        };
        *count = count.saturating_add(piece.count);
    }
}

/// What a country gains and loses of the addresses that some service admits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Addresses that are admitted since they count to it now.
    pub gain: Count,
    /// Addresses that are admitted no more since they counted to it.
    pub lose: Count,
}

/// The change as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Addresses whose country differs, whether it matters or not.
    pub moved: Count,
    /// Of those that matter, by country: what is gained by where it is now, what is lost by where it was.
    pub access: BTreeMap<Country, Access>,
}

impl Effect {
    /// Of `after` in place of `before`.
    pub fn of(before: &CountryData, after: &CountryData, admitted: &Admitted) -> Self {
        let mut effect = Self::default();
        all_differences(before, after, |piece| {
            effect.moved.add(&piece);
            let change = admitted.change(None, piece.before, piece.after);
            if change.loses {
                effect
                    .access
                    .entry(piece.before)
                    .or_default()
                    .lose
                    .add(&piece);
            }
            if change.gains {
                effect
                    .access
                    .entry(piece.after)
                    .or_default()
                    .gain
                    .add(&piece);
            }
        });
        effect
    }

    /// Gains and losses over all countries.
    pub fn total(&self) -> Access {
        let mut total = Access::default();
        for access in self.access.values() {
            for (sum, count) in [
                (&mut total.gain, access.gain),
                (&mut total.lose, access.lose),
            ] {
                sum.ipv4 = sum.ipv4.saturating_add(count.ipv4);
                sum.ipv6_64s = sum.ipv6_64s.saturating_add(count.ipv6_64s);
            }
        }
        total
    }
}

/// Why somebody is of interest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Registered: the account.
    Registered(String),
    /// Registered until a short while ago, and still known.
    Known,
    /// This host sent it a request of its own.
    Solicited,
    /// On the list `permit`: the remark.
    Permitted(String),
    /// A trunk: its name.
    Trunk(String),
}

/// Somebody whose country could change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The addresses, first and last, of one family.
    pub range: (IpAddr, IpAddr),
    /// Why it is of interest.
    pub who: Who,
    /// The service that it uses; None for any.
    pub service: Option<String>,
    /// Until when what it is by now holds.
    pub until: Option<Timestamp>,
}

/// Somebody for whom the change makes a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// Who it is.
    pub subject: Subject,
    /// Its first address that changes.
    pub address: IpAddr,
    /// That one's country before.
    pub before: Country,
    /// And after.
    pub after: Country,
    /// Whether it was admitted by its country and is no more; else the other way round.
    pub loses: bool,
}

impl Affected {
    /// Whether it would be cut off one day, if nothing were done: its trust runs out, and the fence asks for its country.
    pub fn is_cut_off(&self) -> bool {
        self.loses && matches!(self.subject.who, Who::Registered(_) | Who::Known)
    }
}

/// The subjects for which `after` in place of `before` makes a difference; first those who lose.
pub fn affected(
    before: &CountryData,
    after: &CountryData,
    admitted: &Admitted,
    subjects: &[Subject],
) -> Vec<Affected> {
    let mut affected = Vec::new();
    for subject in subjects {
        // Of a range that gains here and loses there, the loss is told.
        let mut found: Option<Affected> = None;
        differences(before, after, subject.range, |piece| {
            let service = subject.service.as_deref();
            let change = admitted.change(service, piece.before, piece.after);
            let news = change.loses && !found.as_ref().is_some_and(|known| known.loses);
            if news || (change.gains && found.is_none()) {
                found = Some(Affected {
                    subject: subject.clone(),
                    address: piece.first,
                    before: piece.before,
                    after: piece.after,
                    loses: change.loses,
                });
            }
        });
        affected.extend(found);
    }
    affected.sort_by_key(|one| (!one.loses, one.subject.who.clone(), one.address));
    affected
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn data(csv: &str) -> CountryData {
        CountryData::decode(csv.as_bytes().to_vec(), Path::new("a.csv")).unwrap()
    }

    fn admitted(text: &str) -> Admitted {
        let config = Config::parse(text, "r.toml").unwrap();
        Admitted::of(&config, &Inputs::default())
    }

    fn at(address: &str, who: Who) -> Subject {
        let address: IpAddr = address.parse().unwrap();
        Subject {
            range: (address, address),
            who,
            service: None,
            until: None,
        }
    }

    const BEFORE: &str = "1.0.0.0,1.0.0.255,GB\n1.0.1.0,1.0.1.255,US\n1.0.2.0,1.0.2.255,GB\n2001:200::,2001:200::,GB\n";
    const AFTER: &str = "1.0.0.0,1.0.0.255,US\n1.0.1.0,1.0.1.127,IE\n1.0.1.128,1.0.1.255,FR\n1.0.2.0,1.0.2.255,IE\n";

    #[test]
    fn gains_and_losses_are_counted_by_country() {
        let (before, after) = (data(BEFORE), data(AFTER));
        let effect = Effect::of(&before, &after, &admitted("countries = [\"GB\", \"IE\"]"));
        assert_eq!((effect.moved.ipv4, effect.moved.ipv6_64s), (768, 1));
        let of = |code: &str| effect.access[&Country::from_code(code).unwrap()];
        assert_eq!((of("GB").lose.ipv4, of("GB").lose.ipv6_64s), (256, 1));
        assert_eq!(of("IE").gain.ipv4, 128);
        assert_eq!(effect.access.len(), 2, "GB to IE is no change for anybody");
        assert_eq!(effect.total().lose.ipv4, 256);
        let nobody = Effect::of(&before, &after, &admitted(""));
        assert!(nobody.access.is_empty() && nobody.moved.ipv4 == 768);
    }

    #[test]
    fn those_who_lose_and_gain_are_named() {
        let (before, after) = (data(BEFORE), data(AFTER));
        let admitted = admitted("countries = [\"GB\", \"IE\"]");
        let alice = || Who::Registered("alice".into());
        let mut range = at("1.0.0.200", Who::Permitted("office".into()));
        range.range.1 = "1.0.1.7".parse().unwrap();
        let mut elsewhere = at("1.0.0.7", alice());
        elsewhere.service = Some("web".into());
        let subjects = [
            at("1.0.1.7", Who::Solicited),
            at("1.0.0.7", alice()),
            elsewhere,
            at("1.0.2.7", alice()),
            range,
        ];
        let found = affected(&before, &after, &admitted, &subjects);
        let told: Vec<_> = found
            .iter()
            .map(|one| format!("{} {}{} {}", one.address, one.before, one.after, one.loses))
            .collect();
        let expected = [
            "1.0.0.7 GBUS true",
            "1.0.0.200 GBUS true",
            "1.0.1.7 USIE false",
        ];
        assert_eq!(told, expected);
        assert!(found[0].is_cut_off() && !found[1].is_cut_off());
    }
}
