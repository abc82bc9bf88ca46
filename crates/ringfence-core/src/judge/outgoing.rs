//! What this host sends: a connection that was dropped says nothing more, its reset least of all.

use crate::bench::{Store, Tables, list_flags};
use crate::flow::{Flow, Phase};
use crate::packet::{self, Bytes, Fragment, Link, Network, protocol};
use crate::policy::ServiceKind;
use crate::reason::Action;
use crate::verdict::Verdict;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is known of a packet on its way out.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Outgoing {
    verdict: Verdict,
    flow: Flow,
}

/// Judges a frame that leaves this host.
#[inline(always)]
pub fn outgoing<B: Bytes + Store>(
    bench: &mut B,
    tables: Tables<'_>,
    outgoing: &mut Outgoing,
    link: Link,
) -> Action {
    if silenced(bench, tables, outgoing, link) {
        Action::Drop
    } else {
        Action::Pass
    }
}

#[inline(always)]
fn silenced<B: Bytes + Store>(
    bench: &mut B,
    tables: Tables<'_>,
    outgoing: &mut Outgoing,
    link: Link,
) -> bool {
    let verdict = &mut outgoing.verdict;
    verdict.begin(0, link);
    if packet::network(bench, verdict) != Network::Ip
        || verdict.protocol != protocol::TCP
        || verdict.fragment() != Fragment::Whole
        || !packet::transport(bench, verdict)
    {
        return false;
    }
    let policy = tables.policy;
    let service = policy.service(policy.tcp[verdict.source_port as usize]);
    if matches!(service.kind(), ServiceKind::Plain | ServiceKind::Iax2) {
        return false;
    }
    // The record of a connection is found by its ends as a packet of the peer has them.
    core::mem::swap(&mut verdict.source, &mut verdict.destination);
    core::mem::swap(&mut verdict.source_port, &mut verdict.destination_port);
    let now = bench.now();
    Flow::find(bench, tables.key, verdict, &mut outgoing.flow, now);
    if outgoing.flow.phase() != Phase::Dropped || !policy.enforced(now) {
        return false;
    }
    // Who was listed since is not held to what was.
    let listed = bench.listed(&outgoing.verdict.source).flags;
    listed & (list_flags::PERMITTED | list_flags::TRUNK | list_flags::PROXY) == 0
}
