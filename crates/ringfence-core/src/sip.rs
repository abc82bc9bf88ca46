//! SIP text (RFC 3261): start lines, addresses, the branch of a Via.

use crate::automaton::{DEAD, LOCATIONS, Location};
use crate::bench::Bench;
use crate::class::Class;
use crate::policy::Policy;
use crate::scan::{KINDS, Kind, Scan, Span, Stops, WINDOW, every, first, head, lower, text, zeros};
use crate::search::{
    PARAMETERS, closing_quote, digest_of, find, find_parameter, number_of, trimmed,
};
use core::hint::black_box;

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

/// The class of a request by its method, in any case: servers are not strict about it, nor about the
/// white space behind it.
#[inline(always)]
fn class(scan: &Scan, at: u32) -> Class {
    let word = lower(scan.word(at));
    let blanks = zeros(word & every(0xe0)) | zeros(word ^ every(b' '));
    let name = if blanks == 0 {
        word
    } else {
        head(word, first(blanks))
    };
    let next = scan.byte(at + 8);
    let ends = blanks != 0 || next <= b' ';
    if name == const { text(b"register") } && ends {
        Class::Register
    } else if name == const { text(b"invite") } {
        Class::Invite
    } else if name == const { text(b"options") } {
        Class::Options
    } else if name == const { text(b"subscrib") } && next | 0x20 == b'e' {
        Class::Subscribe
    } else if name == const { text(b"publish") } {
        Class::Publish
    } else if name == const { text(b"message") } {
        Class::Message
    } else if head(word, 4) == const { text(b"ack ") }
        || head(word, 7) == const { text(b"cancel ") }
    {
        // They pass without a domain: what a server may take for another method is none of them.
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
pub fn begins<B: Bench>(scan: &mut Scan) -> bool {
    let all = Span {
        from: 0,
        to: scan.length(),
    };
    let from = trimmed::<B>(scan, all).from;
    scan.length() < WINDOW && may_begin(scan.byte(from))
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

/// Whether the first eight bytes are those of a request within a dialogue or of a keep-alive, of
/// which nothing is learned.
#[inline(always)]
pub fn goes_on(word: u64) -> bool {
    let low = lower(word);
    let four = head(low, 4);
    let five = head(low, 5);
    four == const { text(b"ack ") }
        || four == const { text(b"bye ") }
        || five == const { text(b"info ") }
        || head(low, 6) == const { text(b"prack ") }
        || head(low, 7) == const { text(b"cancel ") }
        || head(low, 7) == const { text(b"update ") }
        || head(low, 7) == const { text(b"notify ") }
}

/// Whether the first eight bytes are those of a response.
#[inline(always)]
pub fn answers(word: u64) -> bool {
    lower(word) == const { text(b"sip/2.0 ") }
}

/// The first line without white space at its end.
#[inline(always)]
pub fn start_line<B: Bench>(scan: &mut Scan) -> Span {
    let line = scan.span(Kind::StartLine);
    Span {
        from: line.from,
        to: trimmed::<B>(scan, line).to,
    }
}

/// Reads the start line that the line loop found.
#[inline(always)]
pub fn start<B: Bench>(scan: &mut Scan) -> Start {
    if scan.disputed() {
        return Start::Foreign;
    }
    if !scan.has(Kind::StartLine) {
        return Start::Missing;
    }
    let line = start_line::<B>(scan);
    if answers(scan.word(line.from)) {
        return Start::Response;
    }
    // METHOD SP URI SP SIP/2.0 has at least 13 bytes.
    if line.to < line.from + 13 || !may_begin(scan.byte(line.from)) {
        return Start::Foreign;
    }
    if head(lower(scan.word(line.to - 7)), 7) != const { text(b"sip/2.0") } {
        return Start::Foreign;
    }
    let space = find::<B>(scan, line, b' ', b'\t');
    let uri = Span {
        from: space + 1,
        to: line.to - 8,
    };
    if uri.is_empty() {
        return Start::Foreign;
    }
    Start::Request(class(scan, line.from), uri)
}

/// Whether a datagram is STUN (RFC 8489, section 5); `first` are its first eight bytes.
#[inline(always)]
pub fn stun(length: u32, first: u64) -> bool {
    // The two highest bits clear, at byte 2 the bytes after the header of 20, at byte 4 the cookie
    // 0x2112a442.
    let behind = u32::from(((first >> 16) as u16).swap_bytes());
    first >> 32 == 0x42a4_1221 && first & 0xc0 == 0 && length == behind + 20
}

/// Whether the text may be a message to a proxy that takes any bytes for a method: of the four lines
/// that such a message has at least, three end. STUN is too short to do so by chance.
#[inline(always)]
pub fn has_lines<B: Bench>(scan: &mut Scan) -> bool {
    let mut rest = Span {
        from: 0,
        to: scan.length(),
    };
    let mut n = 0;
    while n < 3 {
        rest.from = find::<B>(scan, rest, b'\n', b'\n') + 1;
        n += 1;
    }
    rest.from <= rest.to
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
fn parts<B: Bench>(scan: &mut Scan, value: Span) -> Parts {
    let value = trimmed::<B>(scan, value);
    let mut from = value.from;
    let mut display = Span::NONE;
    if scan.byte(from) == b'"' {
        let inside = Span {
            from: from + 1,
            to: value.to,
        };
        display = Span {
            from: inside.from,
            to: closing_quote::<B>(scan, inside),
        };
        from = display.to + 1;
    }
    let angle = find::<B>(scan, Span { from, to: value.to }, b'<', b'<');
    if angle < value.to {
        if display.is_empty() {
            display = Span { from, to: angle };
        }
        from = angle + 1;
    }
    uri::<B>(scan, Span { from, to: value.to }, display)
}

/// Finds user and host of a SIP URI at the beginning of `span`.
#[inline(always)]
fn uri<B: Bench>(scan: &mut Scan, span: Span, display: Span) -> Parts {
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
    let at = find::<B>(scan, Span { from, to: span.to }, b'@', b'>');
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

/// Whether the To header has a tag: the request is part of a dialogue, or says so. Servers do not
/// agree on what is no plain name-addr or addr-spec with its parameters: that has none.
#[inline(always)]
pub fn has_to_tag<B: Bench>(scan: &mut Scan) -> bool {
    if scan.repeated(Kind::To) {
        return false;
    }
    let value = scan.span(Kind::To);
    let to = behind_address::<B>(scan, value);
    // An escape may spell the name of a parameter; some servers let a value end at `,` or `&`.
    !to.is_empty()
        && find::<B>(scan, to, b'%', b'&') >= to.to
        && find::<B>(scan, to, b',', b',') >= to.to
        && tag_among::<B>(scan, to)
}

/// The parameters behind an address: nothing where it is no plain name-addr or addr-spec.
#[inline(always)]
fn behind_address<B: Bench>(scan: &mut Scan, value: Span) -> Span {
    let mut to = trimmed::<B>(scan, value);
    // A display name may hold anything, what looks like a tag among it.
    if scan.byte(to.from) == b'"' {
        to.from += 1;
        to.from = closing_quote::<B>(scan, to) + 1;
    }
    let angle = find::<B>(scan, to, b'<', b'"');
    if angle < to.to {
        // Behind the URI's angle brackets: a parameter of the URI itself is no tag.
        to.from = angle + 1;
        let end = find::<B>(scan, to, b'>', b'"');
        if scan.byte(angle) == b'"' || end >= to.to || scan.byte(end) == b'"' {
            return Span::NONE;
        }
        to.from = end + 1;
    }
    to
}

/// The tag of a From or To header field, empty where there is none. Of a message that this host
/// wrote: what a stranger may have put into its own address is passed over.
#[inline(always)]
pub fn tag<B: Bench>(scan: &mut Scan, kind: Kind) -> Span {
    let value = scan.span(kind);
    let behind = behind_address::<B>(scan, value);
    let tag = find_parameter::<B>(scan, behind, const { text(b"tag=") }, 4);
    let end = find::<B>(scan, tag, b';', b' ');
    Span {
        from: tag.from,
        to: find::<B>(
            scan,
            Span {
                from: tag.from,
                to: end,
            },
            b',',
            b'\t',
        ),
    }
}

/// The user of an address or of a Request-URI, without a password or parameters.
#[inline(always)]
pub fn user<B: Bench>(scan: &mut Scan, value: Span) -> Span {
    let user = parts::<B>(scan, value).user;
    Span {
        from: user.from,
        to: find::<B>(scan, user, b':', b';'),
    }
}

/// Whether one of the parameters in `value` is a tag, also with white space around its name, and
/// none is a tag without a value. Quoted values are passed over.
#[inline(always)]
fn tag_among<B: Bench>(scan: &mut Scan, value: Span) -> bool {
    scan.place = value.from;
    scan.turn = 0;
    let mut n = 0;
    while n < 2 * PARAMETERS {
        let rest = Span {
            from: *black_box(&mut scan.place),
            to: value.to,
        };
        let mark = find::<B>(scan, rest, b';', b'"');
        if mark >= value.to {
            return scan.turn == 1;
        }
        let behind = Span {
            from: mark + 1,
            to: value.to,
        };
        scan.place = if scan.byte(mark) == b'"' {
            closing_quote::<B>(scan, behind) + 1
        } else {
            let name = after_blanks::<B>(scan, behind.from, value.to);
            let follows = name + 3;
            if head(lower(scan.word(name)), 3) == const { text(b"tag") }
                && !may_begin(scan.byte(follows))
            {
                let equals = after_blanks::<B>(scan, follows, value.to);
                let first = after_blanks::<B>(scan, equals + 1, value.to);
                if scan.byte(equals) != b'=' || first >= value.to || !may_begin(scan.byte(first)) {
                    return false;
                }
                scan.turn = 1;
            }
            behind.from
        };
        n += 1;
    }
    false
}

/// The first byte from `from` on that is no white space.
#[inline(always)]
fn after_blanks<B: Bench>(scan: &mut Scan, from: u32, to: u32) -> u32 {
    trimmed::<B>(scan, Span { from, to }).from
}

/// What makes a retransmission recognisable: the branch of the top Via (RFC 3261, section 17.1.3),
/// or Call-ID and CSeq where there is none; 0 where there is nothing.
#[inline(always)]
pub fn transaction<B: Bench>(scan: &mut Scan) -> u64 {
    let via = scan.span(Kind::Via);
    let branch = find_parameter::<B>(scan, via, const { text(b"branch=") }, 7);
    scan.branch = branch.pack();
    if !branch.is_empty() {
        let value = Span {
            from: branch.from,
            to: find::<B>(scan, branch, b';', b','),
        };
        let digest = digest_of::<B>(scan, value);
        scan.known.branch = digest;
        return digest;
    }
    scan.known.branch = 0;
    if scan.has(Kind::CallId) {
        let (call, sequence) = (scan.span(Kind::CallId), scan.span(Kind::CSeq));
        let call = digest_of::<B>(scan, call);
        return call ^ digest_of::<B>(scan, sequence).rotate_left(17);
    }
    0
}

/// The number of CSeq (RFC 3261, section 20.16), and where its method begins.
#[inline(always)]
pub fn sequence<B: Bench>(scan: &mut Scan) -> (u32, u32) {
    let value = scan.span(Kind::CSeq);
    let number = number_of::<B>(scan, value).unwrap_or(0);
    let space = find::<B>(scan, value, b' ', b'\t');
    (number, after_blanks::<B>(scan, space, value.to))
}

/// The number of no location: nothing is looked for there.
const NOWHERE: u8 = LOCATIONS as u8 - 1;

/// An address as one word: its header, the locations of its parts, whether its host may be one of
/// the service's domains.
const fn address(kind: Kind, display: u8, user: u8, host: u8, domain: bool) -> u64 {
    kind as u64
        | (display as u64) << 8
        | (user as u64) << 16
        | (host as u64) << 24
        | (domain as u64) << 32
}

/// Where addresses lie, and which of their parts are walked; the first is the Request-URI. As many
/// as let a masked index do without a check.
const ADDRESSES: [u64; 8] = [
    address(
        Kind::StartLine,
        NOWHERE,
        Location::RequestUriUser as u8,
        Location::RequestUriHost as u8,
        true,
    ),
    address(Kind::To, NOWHERE, Location::ToUser as u8, NOWHERE, true),
    address(
        Kind::From,
        Location::FromDisplay as u8,
        Location::FromUser as u8,
        Location::FromHost as u8,
        true,
    ),
    address(
        Kind::Contact,
        NOWHERE,
        Location::ContactUser as u8,
        Location::ContactHost as u8,
        false,
    ),
    address(Kind::Route, NOWHERE, NOWHERE, NOWHERE, true),
    NOTHING,
    NOTHING,
    NOTHING,
];

/// No address.
const NOTHING: u64 = address(Kind::Other, NOWHERE, NOWHERE, NOWHERE, false);

/// Plans the walks over the next address: for one of the domains, in Request-URI, To, From and Route,
/// and for signatures where they may stand.
#[inline(always)]
pub fn plan_address<B: Bench>(scan: &mut Scan, policy: &Policy) {
    let turn = scan.turn;
    scan.turn += 1;
    let address = ADDRESSES[turn as usize & 7];
    let kind = address as u32 & 0xff;
    let automaton = &policy.automaton;
    let start = |place: u32| automaton.start[(address >> place) as usize & (LOCATIONS - 1)];
    let (display, user, host) = (start(8), start(16), start(24));
    let domains = if address >> 32 == 1 {
        automaton.domain_start(scan.service as usize)
    } else {
        DEAD
    };
    if domains | display | user | host == DEAD {
        return;
    }
    let value = if turn == 0 {
        Span::unpack(scan.target)
    } else {
        scan.span_of(kind)
    };
    if value.is_empty() {
        return;
    }
    let parts = parts::<B>(scan, value);
    // Looked up anew: what is kept meanwhile lies on a small stack.
    let address = ADDRESSES[black_box(turn) as usize & 7];
    let start = |place: u32| automaton.start[(address >> place) as usize & (LOCATIONS - 1)];
    let domains = if address >> 32 == 1 {
        automaton.domain_start(scan.service as usize)
    } else {
        DEAD
    };
    scan.add_job(automaton, domains, parts.host, parts.stops, true);
    scan.add_job(automaton, start(16), parts.user, Stops::Never, false);
    scan.add_job(automaton, start(24), parts.host, parts.stops, false);
    let shown = trimmed::<B>(scan, parts.display);
    scan.add_job(automaton, start(8), shown, Stops::Display, false);
}

/// The location of values that are walked whole, by the number of their [`Kind`].
const VALUES: [u8; KINDS] = {
    let mut values = [NOWHERE; KINDS];
    values[Kind::UserAgent as usize] = Location::UserAgent as u8;
    values[Kind::Server as usize] = Location::UserAgent as u8;
    values[Kind::Contact as usize] = Location::Contact as u8;
    values[Kind::From as usize] = Location::From as u8;
    values[Kind::To as usize] = Location::To as u8;
    values[Kind::CallId as usize] = Location::CallId as u8;
    values[Kind::CSeq as usize] = Location::CSeq as u8;
    values[Kind::Subject as usize] = Location::Subject as u8;
    values[Kind::Accept as usize] = Location::Accept as u8;
    values[Kind::SdpOrigin as usize] = Location::SdpOrigin as u8;
    values[Kind::SdpSession as usize] = Location::SdpSession as u8;
    values[Kind::StartLine as usize] = Location::RequestLine as u8;
    values
};

/// One bit for each [`Kind`] of line whose value is walked whole, as
/// [`crate::automaton::Automaton::value_kinds`] wants it.
pub fn value_kinds(start: &[u16; LOCATIONS]) -> u32 {
    let mut kinds = 0;
    for (kind, location) in VALUES.iter().enumerate() {
        if start[usize::from(*location)] != DEAD {
            kinds |= 1 << kind;
        }
    }
    kinds
}

/// Kinds of lines whose values are walked whole.
const VALUE_KINDS: u32 = 12;

/// Adds the walk over one whole value; whether there was one.
#[inline(always)]
fn plan_value<B: Bench>(scan: &mut Scan, policy: &Policy) -> bool {
    // Read anew: the verifier would tell the ways apart that led here.
    let left = *black_box(&mut scan.turn);
    if left == 0 {
        return false;
    }
    scan.turn = left & (left - 1);
    // The compiler knows that it is below 32, and would leave out the masks that the verifier wants.
    let kind = black_box(left.trailing_zeros());
    let automaton = &policy.automaton;
    let location = VALUES[kind as usize & (KINDS - 1)];
    let start = automaton.start[location as usize & (LOCATIONS - 1)];
    let value = scan.span_of(kind);
    let span = trimmed::<B>(scan, value);
    scan.add_job(automaton, start, span, Stops::Never, false);
    true
}

/// Addresses of a message.
pub const TURNS: u32 = 5;

/// Makes ready for [`plan_address`]. `request` is the Request-URI, empty for a response; `service` is 0
/// where no domain is asked for.
#[inline(always)]
pub fn begin_addresses(scan: &mut Scan, request: u32, service: u8) {
    scan.begin_jobs();
    scan.target = request;
    scan.service = u32::from(service);
    scan.turn = 0;
}

/// Plans the walk for one of the service's domains anywhere in the message.
#[inline(always)]
pub fn plan_anywhere(scan: &mut Scan, policy: &Policy) {
    let automaton = &policy.automaton;
    let start = automaton.domain_anywhere_start(scan.service as usize);
    let all = whole(scan);
    scan.add_job(automaton, start, all, Stops::Never, true);
}

/// Plans the walks over all that is no part of an address.
#[inline(always)]
pub fn plan_values<B: Bench>(scan: &mut Scan, policy: &Policy, request: u32) {
    scan.begin_jobs();
    let automaton = &policy.automaton;
    let start = |location| automaton.start(location);
    scan.turn = automaton.value_kinds & scan.seen();
    let mut turn = 0;
    while turn < VALUE_KINDS && plan_value::<B>(scan, policy) {
        turn += 1;
    }
    scan.add_job(
        automaton,
        start(Location::RequestUri),
        Span::unpack(request),
        Stops::Never,
        false,
    );
    let tag = start(Location::FromTag);
    if tag != DEAD {
        let from = scan.span(Kind::From);
        let span = find_parameter::<B>(scan, from, const { text(b"tag=") }, 4);
        scan.add_job(automaton, tag, span, Stops::Parameter, false);
    }
    let tag = start(Location::ToTag);
    if tag != DEAD {
        let to = scan.span(Kind::To);
        let span = find_parameter::<B>(scan, to, const { text(b"tag=") }, 4);
        scan.add_job(automaton, tag, span, Stops::Parameter, false);
    }
    let branch = Span::unpack(scan.branch);
    scan.add_job(
        automaton,
        start(Location::ViaBranch),
        branch,
        Stops::Parameter,
        false,
    );
    let headers = Span {
        from: scan.span(Kind::StartLine).to,
        to: scan.headers_end().unwrap_or(scan.length()),
    };
    scan.add_job(
        automaton,
        start(Location::AnyHeader),
        headers,
        Stops::Lines,
        false,
    );
    let all = whole(scan);
    scan.add_job(
        automaton,
        start(Location::WholeMessage),
        all,
        Stops::Never,
        false,
    );
}

#[inline(always)]
fn whole(scan: &Scan) -> Span {
    Span {
        from: 0,
        to: scan.length(),
    }
}

/// Plans the walk that finds whether a name (a TLS server name, an HTTP host; its span packed) is one
/// of the service's domains.
#[inline(always)]
pub fn plan_domain(scan: &mut Scan, policy: &Policy, name: u32, service: u8) {
    scan.begin_jobs();
    let automaton = &policy.automaton;
    let start = automaton.domain_start(usize::from(service));
    scan.add_job(automaton, start, Span::unpack(name), Stops::Host, false);
}
