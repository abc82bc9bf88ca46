//! SIP text (RFC 3261): start lines, addresses, the branch of a Via.

use crate::automaton::{DEAD, DOMAIN, LOCATIONS, Location};
use crate::bench::Bench;
use crate::class::Class;
use crate::policy::Policy;
use crate::scan::{
    Find, Kind, Quoted, STEPS, Scan, Span, Step, Stops, WALK_STEPS, WINDOW, Walk, every, head,
    lower, text,
};
use core::marker::PhantomData;

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request: its class by method alone, and its Request-URI.
    Request(Class, Span),
    /// A response.
    Response,
    /// A line that begins no SIP message.
    Foreign,
    /// No whole line was there.
    Missing,
}

/// The class of a request by its method, in any case: servers are not strict about it.
#[inline(always)]
fn class(scan: &Scan, at: u32) -> Class {
    let word = lower(scan.word(at));
    let next = scan.byte(at + 8);
    if word == const { text(b"register") } && next == b' ' {
        Class::Register
    } else if head(word, 7) == const { text(b"invite ") } {
        Class::Invite
    } else if word == const { text(b"options ") } {
        Class::Options
    } else if word == const { text(b"subscrib") } && next | 0x20 == b'e' {
        Class::Subscribe
    } else if word == const { text(b"publish ") } {
        Class::Publish
    } else if word == const { text(b"message ") } {
        Class::Message
    } else if head(word, 4) == const { text(b"ack ") }
        || head(word, 7) == const { text(b"cancel ") }
    {
        Class::InDialogue
    } else {
        Class::Other
    }
}

/// The first byte of a method or of "SIP/2.0": a token's (RFC 3261, section 25.1).
#[inline(always)]
pub fn may_begin(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// Whether the text, in which no line is whole, may go on as a start line; line ends may stand
/// before it.
#[inline(always)]
pub fn begins(scan: &Scan) -> bool {
    let all = Span {
        from: 0,
        to: scan.length(),
    };
    scan.length() < WINDOW && may_begin(scan.byte(scan.trim_start(all).from))
}

/// A class by the first eight bytes of a datagram, before the text is looked at.
#[inline(always)]
pub fn glance(word: u64) -> Option<Class> {
    let low = lower(word);
    if low == const { text(b"register") } {
        Some(Class::Register)
    } else if head(low, 7) == const { text(b"invite ") } {
        Some(Class::Invite)
    } else if low == const { text(b"options ") } {
        Some(Class::Options)
    } else if low == const { text(b"subscrib") } {
        Some(Class::Subscribe)
    } else if low == const { text(b"publish ") } {
        Some(Class::Publish)
    } else if low == const { text(b"message ") } {
        Some(Class::Message)
    } else {
        None
    }
}

/// Reads the start line that the line loop found.
#[inline(always)]
pub fn start<B: Bench>(scan: &mut Scan, policy: &Policy) -> Start {
    if !scan.has(Kind::StartLine) {
        return Start::Missing;
    }
    let line = scan.trim_end(scan.span(Kind::StartLine));
    if lower(scan.word(line.from)) == const { text(b"sip/2.0 ") } {
        return Start::Response;
    }
    // METHOD SP URI SP SIP/2.0 has at least 13 bytes.
    if line.to < line.from + 13 || !may_begin(scan.byte(line.from)) {
        return Start::Foreign;
    }
    if head(lower(scan.word(line.to - 7)), 7) != const { text(b"sip/2.0") } {
        return Start::Foreign;
    }
    let space = find::<B>(scan, policy, line, Bytes(b' ', b'\t'));
    let uri = Span {
        from: space + 1,
        to: line.to - 8,
    };
    if uri.is_empty() {
        return Start::Foreign;
    }
    Start::Request(class(scan, line.from), uri)
}

/// Whether a datagram is a keep-alive: at most four bytes, or STUN (RFC 8489, section 5). `first`
/// are its first eight bytes.
#[inline(always)]
pub fn keep_alive(length: u32, first: u64) -> bool {
    if length <= 4 {
        return true;
    }
    // The two highest bits clear, at byte 2 the bytes after the header of 20, at byte 4 the cookie
    // 0x2112a442. A proxy may read text behind the cookie as a message: the length must be true.
    let behind = u32::from(((first >> 16) as u16).swap_bytes());
    first >> 32 == 0x42a4_1221 && first & 0xc0 == 0 && length == behind + 20
}

/// Whether the text is nothing but line ends and NULs; looked at up to 64 bytes.
#[inline(always)]
pub fn only_line_ends(scan: &Scan, from: u32) -> bool {
    let mut others = 0u64;
    let mut n = 0;
    while n < 8 {
        let at = from + n * 8;
        if at < scan.length() {
            let word = scan.word(at);
            let byte_is = |byte: u8| {
                let x = word ^ every(byte);
                !(((x & !every(0x80)) + !every(0x80)) | x | !every(0x80))
            };
            others |= !(byte_is(b'\r') | byte_is(b'\n') | byte_is(0)) & every(0x80);
        }
        n += 1;
    }
    others == 0 && scan.length() <= from + 64
}

/// Where the parts of an address lie in the window (RFC 3261, sections 19.1 and 20.10).
#[derive(Clone, Copy, Debug)]
struct Parts {
    display: Span,
    user: Span,
    host: Span,
    stops: Stops,
}

/// Finds the parts of a name-addr or addr-spec.
#[inline(always)]
fn parts<B: Bench>(scan: &mut Scan, policy: &Policy, value: Span) -> Parts {
    let value = scan.trim_start(value);
    let mut from = value.from;
    let mut display = Span::NONE;
    if scan.byte(from) == b'"' {
        let quote = closing_quote::<B>(
            scan,
            policy,
            Span {
                from: from + 1,
                to: value.to,
            },
        );
        display = Span {
            from: from + 1,
            to: quote,
        };
        from = quote + 1;
    }
    let angle = find::<B>(scan, policy, Span { from, to: value.to }, Bytes(b'<', b'<'));
    if angle < value.to {
        if display.is_empty() {
            display = Span { from, to: angle };
        }
        from = angle + 1;
    }
    uri::<B>(scan, policy, Span { from, to: value.to }, display)
}

/// Finds user and host of a SIP URI at the beginning of `span`.
#[inline(always)]
fn uri<B: Bench>(scan: &mut Scan, policy: &Policy, span: Span, display: Span) -> Parts {
    let word = lower(scan.word(span.from));
    let scheme = if head(word, 4) == const { text(b"sip:") } {
        4
    } else if head(word, 5) == const { text(b"sips:") } {
        5
    } else {
        return Parts {
            display,
            user: Span::NONE,
            host: Span::NONE,
            stops: Stops::Host,
        };
    };
    let from = span.from + scheme;
    let at = find::<B>(scan, policy, Span { from, to: span.to }, Bytes(b'@', b'>'));
    let mut user = Span::NONE;
    let mut host = Span { from, to: span.to };
    if at < span.to && scan.byte(at) == b'@' {
        user = Span { from, to: at };
        host.from = at + 1;
    }
    let mut stops = Stops::Host;
    if scan.byte(host.from) == b'[' {
        host.from += 1;
        stops = Stops::Bracket;
    }
    Parts {
        display,
        user,
        host,
        stops,
    }
}

/// Two bytes to look for.
struct Bytes(u8, u8);

/// Where in `span` one of two bytes is; its end if nowhere.
#[inline(always)]
fn find<B: Bench>(scan: &mut Scan, policy: &Policy, span: Span, bytes: Bytes) -> u32 {
    find_packed::<B>(
        scan,
        policy,
        span.pack(),
        u32::from(bytes.0) << 8 | u32::from(bytes.1),
    )
}

/// The same without a function call: within a loop's step, the kernel allows few more.
#[inline(always)]
fn find_here<B: Bench>(scan: &mut Scan, policy: &Policy, span: Span, bytes: Bytes) -> u32 {
    scan.begin_find(span, bytes.0, bytes.1);
    B::repeat::<Find>(scan, policy, STEPS);
    scan.found()
}

// Functions of their own, with few and plain arguments: in the kernel each has its own stack.
#[inline(never)]
fn find_packed<B: Bench>(scan: &mut Scan, policy: &Policy, span: u32, bytes: u32) -> u32 {
    scan.begin_find(Span::unpack(span), (bytes >> 8) as u8, bytes as u8);
    B::repeat::<Find>(scan, policy, STEPS);
    scan.found()
}

/// Where the quoted string whose inside begins with `span` is closed; the end of `span` if nowhere.
#[inline(always)]
fn closing_quote<B: Bench>(scan: &mut Scan, policy: &Policy, span: Span) -> u32 {
    closing_quote_packed::<B>(scan, policy, span.pack())
}

#[inline(never)]
fn closing_quote_packed<B: Bench>(scan: &mut Scan, policy: &Policy, span: u32) -> u32 {
    scan.begin_find(Span::unpack(span), b'"', b'"');
    B::repeat::<Quoted>(scan, policy, STEPS);
    scan.found()
}

/// Looks at one parameter: whether it is the wanted one.
struct Parameters<B>(PhantomData<B>);

impl<B: Bench> Step for Parameters<B> {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let value = Span::unpack(scan.target);
        let semicolon = find_here::<B>(scan, policy, value, Bytes(b';', b';'));
        let from = semicolon + 1;
        scan.target = Span { from, to: value.to }.pack();
        if semicolon >= value.to {
            scan.target = 0;
            return true;
        }
        head(lower(scan.word(from)), scan.service) == scan.name
    }
}

/// Most parameters of a header that are looked at.
const PARAMETERS: u32 = 8;

/// The stretch (packed) from behind `name=` on in a header's value (packed); `name` is of `length`
/// bytes with its `=`, in lower case. 0 where there is none.
#[inline(never)]
fn find_parameter<B: Bench>(
    scan: &mut Scan,
    policy: &Policy,
    value: u32,
    name: u64,
    length: u32,
) -> u32 {
    scan.target = value;
    scan.name = name;
    scan.service = length;
    B::repeat::<Parameters<B>>(scan, policy, PARAMETERS);
    let span = Span::unpack(scan.target);
    if span.is_empty() || head(lower(scan.word(span.from)), length) != name {
        return 0;
    }
    Span {
        from: span.from + length,
        to: span.to,
    }
    .pack()
}

/// Whether the To header has a tag: the request is part of a dialogue, or says so.
#[inline(always)]
pub fn has_to_tag<B: Bench>(scan: &mut Scan, policy: &Policy) -> bool {
    let mut to = scan.trim_start(scan.span(Kind::To));
    // A display name may hold anything, what looks like a tag among it.
    if scan.byte(to.from) == b'"' {
        to.from += 1;
        to.from = closing_quote::<B>(scan, policy, to) + 1;
    }
    // Behind the URI's angle brackets: a parameter of the URI itself is no tag.
    let angle = find::<B>(scan, policy, to, Bytes(b'>', b'>'));
    let from = if angle < to.to { angle } else { to.from };
    scan.target = Span { from, to: to.to }.pack();
    scan.turn = 0;
    B::repeat::<ToTag<B>>(scan, policy, 2 * PARAMETERS);
    scan.turn == 1
}

/// Looks at one parameter, or passes over a quoted value: whether it is a tag, also with white
/// space around its name.
struct ToTag<B>(PhantomData<B>);

impl<B: Bench> Step for ToTag<B> {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let value = Span::unpack(scan.target);
        let mark = find_here::<B>(scan, policy, value, Bytes(b';', b'"'));
        let from = mark + 1;
        if mark >= value.to {
            scan.target = 0;
            return true;
        }
        if scan.byte(mark) == b'"' {
            let inside = Span { from, to: value.to };
            let from = closing_quote::<B>(scan, policy, inside) + 1;
            scan.target = Span { from, to: value.to }.pack();
            return false;
        }
        scan.target = Span { from, to: value.to }.pack();
        let name = scan.trim_start(Span { from, to: value.to }).from;
        let tag = head(lower(scan.word(name)), 3) == const { text(b"tag") }
            && matches!(scan.byte(name + 3), b'=' | b' ' | b'\t');
        scan.turn = u32::from(tag);
        tag
    }
}

/// What makes a retransmission recognisable: the branch of the top Via (RFC 3261, section 17.1.3),
/// or Call-ID and CSeq where there is none; 0 where there is nothing.
#[inline(always)]
pub fn transaction<B: Bench>(scan: &mut Scan, policy: &Policy) -> u64 {
    let via = scan.span(Kind::Via).pack();
    scan.branch = find_parameter::<B>(scan, policy, via, const { text(b"branch=") }, 7);
    let branch = Span::unpack(scan.branch);
    if !branch.is_empty() {
        let to = find::<B>(scan, policy, branch, Bytes(b';', b','));
        return scan.digest(Span {
            from: branch.from,
            to,
        });
    }
    if scan.has(Kind::CallId) {
        let call = scan.digest(scan.span(Kind::CallId));
        return call ^ scan.digest(scan.span(Kind::CSeq)).rotate_left(17);
    }
    0
}

/// Takes all walks that were added.
#[inline(always)]
pub fn walk<B: Bench>(scan: &mut Scan, policy: &Policy) {
    B::repeat::<Walk>(scan, policy, WALK_STEPS);
}

/// Where addresses lie, and which of their parts are walked.
struct AddressPlan {
    kind: Kind,
    display: Option<Location>,
    user: Option<Location>,
    host: Option<Location>,
}

const ADDRESSES: [AddressPlan; 4] = [
    AddressPlan {
        kind: Kind::StartLine,
        display: None,
        user: Some(Location::RequestUriUser),
        host: Some(Location::RequestUriHost),
    },
    AddressPlan {
        kind: Kind::To,
        display: None,
        user: Some(Location::ToUser),
        host: None,
    },
    AddressPlan {
        kind: Kind::From,
        display: Some(Location::FromDisplay),
        user: Some(Location::FromUser),
        host: Some(Location::FromHost),
    },
    AddressPlan {
        kind: Kind::Route,
        display: None,
        user: None,
        host: None,
    },
];

/// Adds the walks over one address.
struct Addresses<B>(PhantomData<B>);

impl<B: Bench> Step for Addresses<B> {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let turn = scan.turn;
        scan.turn += 1;
        let last = turn >= 3;
        let plan = match turn {
            0 => &ADDRESSES[0],
            1 => &ADDRESSES[1],
            2 => &ADDRESSES[2],
            _ => &ADDRESSES[3],
        };
        let automaton = &policy.automaton;
        let start = |location: Option<Location>| match location {
            Some(location) => automaton.start(location),
            None => DEAD,
        };
        let (display, user, host) = (start(plan.display), start(plan.user), start(plan.host));
        let domains = automaton.domain_start(scan.service as usize);
        if domains | display | user | host == DEAD {
            return last;
        }
        let value = if turn == 0 {
            Span::unpack(scan.target)
        } else {
            scan.span(plan.kind)
        };
        if value.is_empty() {
            return last;
        }
        let parts = parts::<B>(scan, policy, value);
        scan.add_job(domains, parts.host, parts.stops, true);
        scan.add_job(display, scan.trim_end(parts.display), Stops::Display, false);
        scan.add_job(user, parts.user, Stops::Never, false);
        scan.add_job(host, parts.host, parts.stops, false);
        last
    }
}

/// Values that are walked whole: kinds and locations as numbers, 16 of them so that a masked index
/// needs no check.
const VALUES: [(u8, u8); 16] = [
    (Kind::UserAgent as u8, Location::UserAgent as u8),
    (Kind::Server as u8, Location::UserAgent as u8),
    (Kind::Contact as u8, Location::Contact as u8),
    (Kind::From as u8, Location::From as u8),
    (Kind::To as u8, Location::To as u8),
    (Kind::CallId as u8, Location::CallId as u8),
    (Kind::CSeq as u8, Location::CSeq as u8),
    (Kind::Subject as u8, Location::Subject as u8),
    (Kind::Accept as u8, Location::Accept as u8),
    (Kind::SdpOrigin as u8, Location::SdpOrigin as u8),
    (Kind::SdpSession as u8, Location::SdpSession as u8),
    (Kind::StartLine as u8, Location::RequestLine as u8),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
];

/// Adds the walk over one whole value.
struct Values;

impl Step for Values {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let turn = scan.turn as usize;
        scan.turn += 1;
        let (kind, location) = VALUES[turn & 15];
        if turn >= VALUES.len() || kind == 0 {
            return true;
        }
        let start = policy.automaton.start[location as usize & (LOCATIONS - 1)];
        if start != DEAD {
            let span = scan.trim_start(scan.span_of(u32::from(kind)));
            let span = scan.trim_end(span);
            scan.add_job(start, span, Stops::Never, false);
        }
        false
    }
}

/// Plans the walks: for one of the domains in Request-URI, To, From and Route, and for signatures
/// where they may stand. `request` is the Request-URI, empty for a response; `service` is 0 where no
/// domain is asked for.
#[inline(always)]
pub fn plan<B: Bench>(scan: &mut Scan, policy: &Policy, request: u32, service: u8) {
    let automaton = &policy.automaton;
    let start = |location| automaton.start(location);
    scan.begin_jobs();
    scan.target = request;
    scan.service = u32::from(service);
    scan.turn = 0;
    B::repeat::<Addresses<B>>(scan, policy, STEPS);
    scan.turn = 0;
    B::repeat::<Values>(scan, policy, STEPS);
    scan.add_job(
        start(Location::RequestUri),
        Span::unpack(request),
        Stops::Never,
        false,
    );
    let tag = start(Location::FromTag);
    if tag != DEAD {
        let from = scan.span(Kind::From);
        let span = find_parameter::<B>(scan, policy, from.pack(), const { text(b"tag=") }, 4);
        scan.add_job(tag, Span::unpack(span), Stops::Parameter, false);
    }
    let tag = start(Location::ToTag);
    if tag != DEAD {
        let to = scan.span(Kind::To);
        let span = find_parameter::<B>(scan, policy, to.pack(), const { text(b"tag=") }, 4);
        scan.add_job(tag, Span::unpack(span), Stops::Parameter, false);
    }
    let branch = Span::unpack(scan.branch);
    scan.add_job(start(Location::ViaBranch), branch, Stops::Parameter, false);
    let headers = Span {
        from: scan.span(Kind::StartLine).to,
        to: scan.headers_end().unwrap_or(scan.length()),
    };
    scan.add_job(start(Location::AnyHeader), headers, Stops::Lines, false);
    let whole = Span {
        from: 0,
        to: scan.length(),
    };
    scan.add_job(start(Location::WholeMessage), whole, Stops::Never, false);
    let anywhere = automaton.domain_anywhere_start(usize::from(service));
    scan.add_job(anywhere, whole, Stops::Never, true);
}

/// Whether a name (a TLS server name, an HTTP host) is one of the service's domains.
#[inline(never)]
pub fn is_domain<B: Bench>(scan: &mut Scan, policy: &Policy, name: u32, service: u8) -> bool {
    scan.begin_jobs();
    let start = policy.automaton.domain_start(usize::from(service));
    scan.add_job(start, Span::unpack(name), Stops::Host, false);
    walk::<B>(scan, policy);
    scan.bits & DOMAIN != 0
}
