//! What lets an address in.

use ipnet::IpNet;
use ringfence_core::country::Country;
use ringfence_core::reason::Reason;

use super::{Asks, Opinions, Question};
use crate::config::{Admission, MessageClass, Service};
use crate::store::ListKind;
use crate::tables;

impl Opinions {
    /// The command, or what to write, that lets in whoever is dropped for this reason.
    pub(super) fn remedy(
        &self,
        question: &Question<'_>,
        reason: Reason,
        service: u8,
    ) -> Option<String> {
        let source = question.source;
        let permit = format!("ringfence permit add {source}");
        match reason {
            Reason::Denied => Some(self.undeny(question)),
            Reason::Banned => Some(self.unban(question)),
            Reason::Country => {
                let index = usize::from(service).checked_sub(1);
                let service = index.and_then(|index| self.config.services.get(index));
                let allowed = service.and_then(|service| self.allow(question, service));
                Some(allowed.unwrap_or(permit))
            }
            Reason::Refused => {
                Some("take its address out of `hosts` of the [[trunk]]: no trunk registers".into())
            }
            // Nothing may come from there.
            Reason::Spoofed => None,
            _ => Some(permit),
        }
    }

    /// Takes the address off the deny list: every entry that holds it.
    fn undeny(&self, question: &Question<'_>) -> String {
        let source = question.source;
        let by_command = self.inputs.operator.iter();
        let by_command = by_command
            .filter(|(kind, range)| *kind == ListKind::Deny && range.contains(source))
            .map(|(_, range)| format!("ringfence deny remove {range}"));
        let in_file = self.config.deny.iter();
        let in_file = in_file
            .filter(|entry| entry.range.contains(source))
            .map(|entry| format!("take {} out of `deny` in the configuration", entry.range));
        let names = self.inputs.names_of(ListKind::Deny, source);
        let names = names.map(|named| match named.by_command {
            true => format!("ringfence deny remove {}", named.name),
            false => format!("take {} out of `deny` in the configuration", named.name),
        });
        let all: Vec<_> = by_command.chain(in_file).chain(names).collect();
        all.join("; ")
    }

    fn unban(&self, question: &Question<'_>) -> String {
        let source = question.source;
        let ban = self.sources.ban(tables::address(source), question.port);
        match ban.and_then(|ban| IpNet::new(ban.address, ban.prefix_len).ok()) {
            Some(net) if ban.is_some_and(|ban| ban.is_net()) => format!("ringfence unban {net}"),
            _ => format!("ringfence unban {source}"),
        }
    }

    /// Admits the country of the address, where that is what is asked for and it is known.
    fn allow(&self, question: &Question<'_>, service: &Service) -> Option<String> {
        let class = match question.asks {
            Asks::Register => MessageClass::Register,
            Asks::Invite => MessageClass::Invite,
        };
        let country = self.country(question.source);
        if country == Country::UNKNOWN || service.from.of(class) != Admission::Countries {
            return None;
        }
        let code = country.code();
        Some(match service.countries {
            None => format!("ringfence country allow {code}"),
            Some(_) => format!(
                "add \"{code}\" to `countries` of [[service]] \"{}\"",
                service.name
            ),
        })
    }
}
