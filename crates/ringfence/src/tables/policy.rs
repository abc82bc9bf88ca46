//! The configuration as the judge's policy.

use std::time::Duration;

use ringfence_core::automaton::{Automaton, Location};
use ringfence_core::class::Class;
use ringfence_core::country::CountrySet;
use ringfence_core::limit::Limit;
use ringfence_core::policy::{Policy, Service, policy_flags, service_flags};
use zerocopy::{FromZeros, IntoBytes};

use super::{Inputs, admission, trust};
use crate::config::{self, Config, DomainMatch, DomainOpens, Limits, Mode, Protocol, Rate, Sni};

const SECOND: u64 = 1_000_000_000;

/// Later fragments that one source may send. A large INVITE has two or three; the DNS answers and
/// the media of a busy neighbour have more.
const FRAGMENTS: Limit = Limit::new(500, SECOND, 1000);

/// The part of a budget that one source may hold is one in so many: 2%.
const SHARE: u32 = 50;
/// Tokens that a source has at least, so that a small budget starves nobody.
const SHARE_BURST: u32 = 10;

pub(super) fn compile(config: &Config, inputs: &Inputs, automaton: &Automaton) -> Box<Policy> {
    let mut policy = new_policy();
    policy.mode = u32::from(config.mode == Mode::Enforce);
    policy.flags = flags(config, automaton);
    policy.enforce_until = inputs.enforce_until.unwrap_or(0);
    policy.generation = inputs.generation;
    policy.ban_time = nanoseconds(config.ban.time(0));
    let after = config.ban.after;
    policy.strikes = Limit::new(after.count, nanoseconds(after.within), after.count);
    policy.fragments = FRAGMENTS;
    policy.trust = trust::compile(config);
    for (number, service) in (1..).zip(&config.services) {
        let compiled = compile_service(config, inputs, service);
        if let Some(slot) = policy.services.get_mut(usize::from(number)) {
            *slot = compiled;
        }
        for ports in &service.ports {
            let table = match ports.protocol {
                Protocol::Udp => &mut policy.udp,
                Protocol::Tcp => &mut policy.tcp,
            };
            table[usize::from(ports.first)..=usize::from(ports.last)].fill(number);
        }
    }
    policy
        .automaton
        .as_mut_bytes()
        .copy_from_slice(automaton.as_bytes());
    policy
}

/// A policy without services: made on the heap, it is larger than many a stack.
fn new_policy() -> Box<Policy> {
    match Policy::new_box_zeroed() {
        Ok(policy) => policy,
        Err(_) => std::alloc::handle_alloc_error(std::alloc::Layout::new::<Policy>()),
    }
}

fn flags(config: &Config, automaton: &Automaton) -> u32 {
    let mut flags = 0;
    if config.ban.enable {
        flags |= policy_flags::BANS;
    }
    if config.ban.subnet != 0 {
        flags |= policy_flags::NETS;
    }
    if !config.protect.is_empty() {
        flags |= policy_flags::PROTECT;
    }
    if automaton.start(Location::SdpOrigin) != 0 || automaton.start(Location::SdpSession) != 0 {
        flags |= policy_flags::BODY;
    }
    flags
}

fn compile_service(config: &Config, inputs: &Inputs, service: &config::Service) -> Service {
    let mut compiled = Service::new_zeroed();
    compiled.admissions = admission::admissions(service);
    compiled.countries = countries(config, inputs, service);
    for class in Class::ALL {
        compiled.rates[*class as usize] = rate(service, *class);
    }
    budgets(service, &mut compiled);
    compiled.kind = admission::kind(service.kind) as u8;
    compiled.flags = service_switches(service, &compiled);
    compiled
}

/// The countries that a service admits: its own, or the file's with what was said by command.
pub fn countries(config: &Config, inputs: &Inputs, service: &config::Service) -> CountrySet {
    let mut set: CountrySet = config
        .countries_of(service)
        .iter()
        .map(|code| code.0)
        .collect();
    if service.countries.is_none() {
        for (country, allowed) in &inputs.countries {
            if *allowed {
                set.insert(*country);
            } else {
                set.remove(*country);
            }
        }
    }
    set
}

/// The limit of a class. Keep-alives have none in the file: a phone behind NAT sends one every few
/// seconds, an office of phones many, so that they go by the rate of in-dialogue requests.
fn rate(service: &config::Service, class: Class) -> Limit {
    match &service.limits {
        Limits::Classes(rates) => {
            let class = admission::class(class).unwrap_or(config::MessageClass::InDialogue);
            limit(&rates.of(class), 1)
        }
        Limits::Flows(Some(flows)) if class == Class::NewTcp => limit(flows, 1),
        Limits::Flows(_) => Limit::NONE,
    }
}

/// A rate with `part` times as long for each token, and the burst divided by `part`.
pub(super) fn limit(rate: &Rate, part: u32) -> Limit {
    let per = nanoseconds(rate.per).saturating_mul(u64::from(part));
    Limit::new(rate.count, per, (rate.burst / part).max(1))
}

/// With domains, half of the budget is kept for strangers who name one of them.
fn budgets(service: &config::Service, compiled: &mut Service) {
    let Some(rate) = &service.budget else { return };
    if service.domains.is_empty() {
        compiled.budget = limit(rate, 1);
    } else {
        compiled.budget = limit(rate, 2);
        compiled.reserved_budget = limit(rate, 2);
    }
    let share = Rate {
        burst: rate.burst.max(SHARE * SHARE_BURST),
        ..*rate
    };
    compiled.source_budget = limit(&share, SHARE);
}

fn service_switches(service: &config::Service, compiled: &Service) -> u8 {
    let mut flags = 0;
    if !service.domains.is_empty() {
        flags |= service_flags::DOMAINS;
        if service.domain_match == DomainMatch::Anywhere {
            flags |= service_flags::ANYWHERE;
        }
        if service.domain_opens.contains(&DomainOpens::Country) {
            flags |= service_flags::OPENS_COUNTRY;
        }
    }
    if service.sni == Sni::Require {
        flags |= service_flags::SNI_REQUIRED;
    }
    if compiled
        .admissions
        .iter()
        .any(|admission| *admission != compiled.admissions[0])
    {
        flags |= service_flags::BY_CLASS;
    }
    flags
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
