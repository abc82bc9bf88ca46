//! ICMP and ICMPv6, as RFC 4890 (sections 4.3 and 4.4) wants it. Errors about a known connection, and answers to what this
//! host asked, passed before as related and established.

use super::model::{End, Family, Match, Rule};
use super::parts::{accept, link_local};
use super::plan::Plan;

/// Echo requests in a second, and at once.
const ECHOES: (u32, u32) = (50, 100);
/// Errors in a second, and at once: what a flood of them tells is of no known connection.
const ERRORS: (u32, u32) = (200, 400);

/// Destination unreachable, time exceeded, parameter problem.
const ERRORS_V4: [u8; 3] = [3, 11, 12];
/// Destination unreachable, packet too big, time exceeded, parameter problem: never to be dropped.
const ERRORS_V6: [u8; 4] = [1, 2, 3, 4];
/// Router and neighbour solicitations and advertisements (RFC 4861), and inverse ones (RFC 3122).
const NEIGHBOURS: [u8; 6] = [133, 134, 135, 136, 141, 142];
/// Multicast listener queries, reports and ends (RFC 2710, RFC 3810), and router discovery (RFC 4286).
const LISTENERS: [u8; 7] = [130, 131, 132, 143, 151, 152, 153];
/// Certification paths (RFC 3971).
const PATHS: [u8; 2] = [148, 149];

pub(super) fn rules(plan: &mut Plan) -> Vec<Rule> {
    let icmp = |family, types: &[u8]| Match::Icmp(family, types.to_vec());
    let (v4, v6) = (Family::V4, Family::V6);
    let errors = Match::Rate(ERRORS.0, ERRORS.1);
    let echoes = Match::Rate(ECHOES.0, ECHOES.1);
    let too_many = "more than that is a flood";
    let from_link = Match::Address(End::Source, link_local());
    vec![
        accept(
            vec![icmp(v6, &NEIGHBOURS), Match::HopLimit(255)],
            "neighbours and routers of this link",
        ),
        accept(
            vec![icmp(v6, &LISTENERS), from_link],
            "listeners of this link",
        ),
        accept(
            vec![icmp(v6, &PATHS), Match::HopLimit(255)],
            "certified routers of this link",
        ),
        accept(
            vec![icmp(v4, &ERRORS_V4), errors.clone()],
            "unreachable, time exceeded, parameter problem",
        ),
        accept(
            vec![icmp(v6, &ERRORS_V6), errors],
            "unreachable, too big, time exceeded, parameter problem",
        ),
        accept(vec![icmp(v4, &[8]), echoes.clone()], "ping"),
        accept(vec![icmp(v6, &[128]), echoes], "ping"),
        plan.dropping("icmp-flood", vec![icmp(v4, &[3, 8, 11, 12])], too_many),
        plan.dropping("icmp-flood", vec![icmp(v6, &[1, 2, 3, 4, 128])], too_many),
    ]
}
