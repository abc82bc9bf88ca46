//! The rules as a batch for nftables.

use std::net::IpAddr;

use nftables::batch::Batch;
use nftables::expr::{
    CT, Expression, Meta, MetaKey, NamedExpression, Payload, PayloadField, Prefix,
    Range as NftRange, SetItem,
};
use nftables::schema::{Chain as NftChain, Counter, NfListObject, Nftables, Rule as NftRule};
use nftables::stmt::{
    self, JumpTarget, Limit, Log, Match as NftMatch, Operator, Reject, RejectType, Statement,
};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook, RejectCode};

use super::json_sets::{address_set, live, up};
use super::model::{
    Action, Addresses, Chain, End, Family, Hook, Match, Range, Rule, Ruleset, SNAPLEN, TABLE, UP,
};
use crate::config::Protocol;
use crate::nft;

/// A batch that deletes our table, whether it is there or not.
pub fn removal() -> Nftables<'static> {
    let mut batch = Batch::new();
    delete(&mut batch);
    batch.to_nftables()
}

/// To delete what may not be there, it is added first.
fn delete(batch: &mut Batch<'static>) {
    batch.add(nft::table(NfFamily::INet, TABLE));
    batch.delete(nft::table(NfFamily::INet, TABLE));
}

impl Ruleset {
    /// A batch that puts these rules in the place of those that our table has, in one transaction. It touches no other
    /// table.
    pub fn batch(&self) -> Nftables<'static> {
        let mut batch = Batch::new();
        delete(&mut batch);
        batch.add(nft::table(NfFamily::INet, TABLE));
        for name in &self.counters {
            batch.add(NfListObject::Counter(Counter {
                family: NfFamily::INet,
                table: TABLE.into(),
                name: name.clone().into(),
                handle: None,
                packets: Some(0),
                bytes: Some(0),
            }));
        }
        for family in Family::ALL {
            batch.add(NfListObject::Set(Box::new(up(self, family))));
        }
        for set in &self.sets {
            batch.add(NfListObject::Set(Box::new(address_set(set))));
        }
        for set in &self.live {
            batch.add(NfListObject::Set(Box::new(live(set))));
        }
        for chain in &self.chains {
            batch.add(NfListObject::Chain(base(chain)));
        }
        for chain in &self.chains {
            for rule in &chain.rules {
                batch.add(NfListObject::Rule(NftRule {
                    family: NfFamily::INet,
                    table: TABLE.into(),
                    chain: chain.name.clone().into(),
                    expr: statements(rule).into(),
                    handle: None,
                    index: None,
                    comment: Some(rule.comment.clone().into()),
                }));
            }
        }
        batch.to_nftables()
    }
}

fn base(chain: &Chain) -> NftChain<'static> {
    let mut made = NftChain {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: chain.name.clone().into(),
        ..NftChain::default()
    };
    if let Some(base) = chain.base {
        made._type = Some(NfChainType::Filter);
        made.prio = Some(0);
        made.hook = Some(match base.hook {
            Hook::Input => NfHook::Input,
            Hook::Forward => NfHook::Forward,
        });
        made.policy = Some(match base.drop {
            true => NfChainPolicy::Drop,
            false => NfChainPolicy::Accept,
        });
    }
    made
}

fn statements(rule: &Rule) -> Vec<Statement<'static>> {
    let mut all: Vec<_> = rule.matches.iter().map(matching).collect();
    if let Some(counter) = &rule.counter {
        all.push(Statement::Counter(stmt::Counter::Named(
            counter.clone().into(),
        )));
    }
    let to = |chain: &str| JumpTarget {
        target: chain.to_owned().into(),
    };
    all.push(match &rule.action {
        Action::Accept => Statement::Accept(None),
        Action::Drop => Statement::Drop(None),
        Action::Reject => Statement::Reject(Some(Reject::new(
            Some(RejectType::ICMPX),
            Some(RejectCode::AdminProhibited),
        ))),
        Action::Jump(chain) => Statement::Jump(to(chain)),
        Action::Goto(chain) => Statement::Goto(to(chain)),
        Action::Copy(group) => Statement::Log(Some(Log {
            snaplen: Some(SNAPLEN),
            queue_threshold: Some(1),
            ..Log::new(Some(u32::from(*group)))
        })),
    });
    all
}

fn matching(one: &Match) -> Statement<'static> {
    let (left, right) = match one {
        Match::Family(family) => (
            meta(MetaKey::Nfproto),
            word(match family {
                Family::V4 => "ipv4",
                Family::V6 => "ipv6",
            }),
        ),
        Match::Up(family) => {
            let ip = match family {
                Family::V4 => "ip",
                Family::V6 => "ip6",
            };
            let ends = vec![
                payload(ip, "saddr"),
                payload("tcp", "sport"),
                payload(ip, "daddr"),
                payload("tcp", "dport"),
            ];
            (
                Expression::Named(NamedExpression::Concat(ends)),
                Expression::String(format!("@{UP}{}", family.number()).into()),
            )
        }
        Match::Stream(name, family) => {
            let ip = match family {
                Family::V4 => "ip",
                Family::V6 => "ip6",
            };
            let ends = vec![payload(ip, "saddr"), payload("udp", "sport")];
            (
                Expression::Named(NamedExpression::Concat(ends)),
                Expression::String(format!("@{name}{}", family.number()).into()),
            )
        }
        Match::Longer(bytes) => {
            // The library writes "greater than" as "less than".
            let longer = Expression::Number(u32::from(*bytes) + 1);
            let longest = Expression::Number(u16::MAX.into());
            (meta(MetaKey::Length), range(longer, longest))
        }
        Match::Interface(name) => (meta(MetaKey::Iifname), word(name)),
        Match::State(states) => {
            let states = states.iter().map(|state| word(state.name())).collect();
            let key = Expression::Named(NamedExpression::CT(CT {
                key: "state".into(),
                ..CT::default()
            }));
            return statement(Operator::IN, key, Expression::List(states));
        }
        Match::Address(end, addresses) => {
            let field = match end {
                End::Source => "saddr",
                End::Destination => "daddr",
            };
            let protocol = match addresses.family() {
                Family::V4 => "ip",
                Family::V6 => "ip6",
            };
            let right = match addresses {
                Addresses::Set(name, _) => Expression::String(format!("@{name}").into()),
                Addresses::These(_, ranges) => set(ranges.iter().map(element).collect()),
            };
            (payload(protocol, field), right)
        }
        Match::Port(end, protocol, ports) => {
            let field = match end {
                End::Source => "sport",
                End::Destination => "dport",
            };
            let protocol = match protocol {
                Protocol::Udp => "udp",
                Protocol::Tcp => "tcp",
            };
            let ports = ports.iter().map(|(first, last)| match first == last {
                true => Expression::Number((*first).into()),
                false => range(
                    Expression::Number((*first).into()),
                    Expression::Number((*last).into()),
                ),
            });
            (payload(protocol, field), set(ports.collect()))
        }
        Match::Icmp(family, types) => {
            let protocol = match family {
                Family::V4 => "icmp",
                Family::V6 => "icmpv6",
            };
            let types = types
                .iter()
                .map(|number| Expression::Number((*number).into()));
            (payload(protocol, "type"), set(types.collect()))
        }
        Match::HopLimit(limit) => (
            payload("ip6", "hoplimit"),
            Expression::Number((*limit).into()),
        ),
        Match::ToMany => {
            let many = vec![word("broadcast"), word("multicast")];
            (meta(MetaKey::Pkttype), set(many))
        }
        Match::Rate(rate, burst) => {
            return Statement::Limit(Limit {
                rate: *rate,
                rate_unit: None,
                per: Some("second".into()),
                burst: Some(*burst),
                burst_unit: None,
                inv: None,
            });
        }
    };
    statement(Operator::EQ, left, right)
}

fn statement(
    op: Operator,
    left: Expression<'static>,
    right: Expression<'static>,
) -> Statement<'static> {
    Statement::Match(NftMatch { left, right, op })
}

fn meta(key: MetaKey) -> Expression<'static> {
    Expression::Named(NamedExpression::Meta(Meta { key }))
}

fn payload(protocol: &'static str, field: &'static str) -> Expression<'static> {
    Expression::Named(NamedExpression::Payload(Payload::PayloadField(
        PayloadField {
            protocol: protocol.into(),
            field: field.into(),
        },
    )))
}

pub(super) fn word(text: &str) -> Expression<'static> {
    Expression::String(text.to_owned().into())
}

/// A set without a name; one element stands for itself.
fn set(mut elements: Vec<Expression<'static>>) -> Expression<'static> {
    match elements.len() {
        1 => elements.remove(0),
        _ => Expression::Named(NamedExpression::Set(
            elements.into_iter().map(SetItem::Element).collect(),
        )),
    }
}

fn range(first: Expression<'static>, last: Expression<'static>) -> Expression<'static> {
    Expression::Range(Box::new(NftRange {
        range: [first, last],
    }))
}

pub(super) fn element((first, last): &Range) -> Expression<'static> {
    let text = |address: &IpAddr| Expression::String(address.to_string().into());
    match super::text::prefix(*first, *last) {
        _ if first == last => text(first),
        Some(length) => Expression::Named(NamedExpression::Prefix(Prefix {
            addr: Box::new(text(first)),
            len: length,
        })),
        None => range(text(first), text(last)),
    }
}
