//! What the kernel and a program that holds a queue say to each other. Source: linux/netfilter/nfnetlink_queue.h.
//!
//! No crate of those that speak it can answer for many packets with one message, which is most of what a verdict costs.

use super::netlink::{ACKNOWLEDGE, HEADER, Message as Request, NETFILTER, REQUEST, aligned};

/// The number of the queues' subsystem, in the upper byte of a message's type.
const QUEUE: u16 = 3 << 8;
const PACKET: u16 = QUEUE;
const VERDICT: u16 = QUEUE | 1;
const CONFIG: u16 = QUEUE | 2;
const VERDICT_BATCH: u16 = QUEUE | 3;
/// Types below those of subsystems.
const ERROR: u16 = 2;
const OVERRUN: u16 = 4;

const DROP: u32 = 0;
const ACCEPT: u32 = 1;

/// Attributes of packets and verdicts.
mod attribute {
    pub const PACKET_HEADER: u16 = 1;
    pub const VERDICT_HEADER: u16 = 2;
    pub const MARK: u16 = 3;
    pub const INTERFACE_IN: u16 = 5;
    pub const INTERFACE_OUT: u16 = 6;
    pub const PAYLOAD: u16 = 10;
    pub const CAPTURED: u16 = 13;
    /// The two upper bits say how an attribute's value is written.
    pub const KIND: u16 = 0x3fff;
}

/// What is set of a queue.
mod setting {
    pub const COMMAND: u16 = 1;
    pub const COPY: u16 = 2;
    pub const LENGTH: u16 = 3;
    pub const FLAG_MASK: u16 = 4;
    pub const FLAGS: u16 = 5;
    pub const BIND: u8 = 1;
    pub const COPY_PACKET: u8 = 2;
    /// A full queue lets packets pass.
    pub const FAIL_OPEN: u32 = 1;
}

/// A packet that waits for its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its number in its queue: each is higher than the one before.
    pub id: u32,
    /// The mark that it has.
    pub mark: u32,
    /// The index of the interface that it came by, or 0.
    pub interface_in: u32,
    /// The index of the interface that it leaves by, or 0.
    pub interface_out: u32,
    /// From the IP header on.
    pub bytes: &'a [u8],
    /// Not all of it was copied.
    pub cut: bool,
}

/// A message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// What became of a request: the number of the error, or 0.
    Done(i32),
    /// The kernel had no room for some messages.
    Overrun,
    /// Nothing that concerns us.
    Other,
}

/// The messages in what was received at once. One that is cut short ends them.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
        let body = bytes.get(HEADER..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(match kind {
            PACKET => packet(body).map_or(Message::Other, Message::Packet),
            ERROR => body.first_chunk().map_or(Message::Other, |code| {
                Message::Done(i32::from_ne_bytes(*code).saturating_neg())
            }),
            OVERRUN => Message::Overrun,
            _ => Message::Other,
        })
    })
}

fn packet(body: &[u8]) -> Option<Packet<'_>> {
    let (mut id, mut captured) = (None, None);
    let mut packet = Packet {
        id: 0,
        mark: 0,
        interface_in: 0,
        interface_out: 0,
        bytes: &[],
        cut: false,
    };
    let mut rest = body.get(NETFILTER..)?;
    while let Some((kind, value, behind)) = next(rest) {
        rest = behind;
        let word = || value.first_chunk().map(|word| u32::from_be_bytes(*word));
        match kind {
            attribute::PACKET_HEADER => id = word(),
            attribute::MARK => packet.mark = word()?,
            attribute::INTERFACE_IN => packet.interface_in = word()?,
            attribute::INTERFACE_OUT => packet.interface_out = word()?,
            attribute::PAYLOAD => packet.bytes = value,
            attribute::CAPTURED => captured = word(),
            _ => {}
        }
    }
    packet.id = id?;
    packet.cut = captured.is_some_and(|whole| whole as usize > packet.bytes.len());
    Some(packet)
}

/// The first attribute: its kind, its value, and what follows.
fn next(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u16::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
    let value = bytes.get(4..length)?;
    let behind = bytes.get(aligned(length)..).unwrap_or_default();
    Some((kind & attribute::KIND, value, behind))
}

/// A request to hold a queue, with whole packets copied, and to be told whether it was done. A full queue (`length`
/// packets) drops, or lets pass where `open`.
pub fn bind(queue: u16, length: u32, open: bool) -> Vec<u8> {
    let mut request = Request::new(CONFIG, REQUEST | ACKNOWLEDGE, 0, queue);
    request.attribute(setting::COMMAND, &[setting::BIND, 0, 0, 0]);
    let mut copy = [0; 5];
    copy[..4].copy_from_slice(&u32::from(u16::MAX).to_be_bytes());
    copy[4] = setting::COPY_PACKET;
    request.attribute(setting::COPY, &copy);
    request.attribute(setting::LENGTH, &length.to_be_bytes());
    let flags = if open { setting::FAIL_OPEN } else { 0 };
    request.attribute(setting::FLAG_MASK, &setting::FAIL_OPEN.to_be_bytes());
    request.attribute(setting::FLAGS, &flags.to_be_bytes());
    request.end()
}

/// A verdict on one packet, or on all that wait up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The packet's number.
    pub id: u32,
    /// Whether it goes on.
    pub pass: bool,
    /// The mark that it has from then on; None leaves it.
    pub mark: Option<u32>,
}

/// Verdicts on packets in the order of their numbers, as few messages as tell them.
pub fn verdicts(queue: u16, verdicts: &[Verdict], into: &mut Vec<u8>) {
    into.clear();
    let mut rest = verdicts.iter().peekable();
    while let Some(first) = rest.next() {
        let (mut last, mut count) = (first, 1);
        let same = |next: &Verdict| (next.pass, next.mark) == (first.pass, first.mark);
        while let Some(next) = rest.next_if(|next| same(next)) {
            (last, count) = (next, count + 1);
        }
        let kind = if count == 1 { VERDICT } else { VERDICT_BATCH };
        let mut request = Request::new(kind, REQUEST, 0, queue);
        let verdict = if first.pass { ACCEPT } else { DROP };
        let mut header = [0; 8];
        header[..4].copy_from_slice(&verdict.to_be_bytes());
        header[4..].copy_from_slice(&last.id.to_be_bytes());
        request.attribute(attribute::VERDICT_HEADER, &header);
        if let Some(mark) = first.mark {
            request.attribute(attribute::MARK, &mark.to_be_bytes());
        }
        into.extend_from_slice(&request.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(id: u32, bytes: &[u8]) -> Vec<u8> {
        let mut request = Request::new(PACKET, 0, 0, 7);
        let mut header = id.to_be_bytes().to_vec();
        header.extend([8, 0, 0]);
        request.attribute(attribute::PACKET_HEADER, &header);
        request.attribute(attribute::INTERFACE_IN, &3u32.to_be_bytes());
        request.attribute(attribute::MARK, &0x20u32.to_be_bytes());
        request.attribute(attribute::PAYLOAD, bytes);
        request.end()
    }

    #[test]
    fn packets_are_read_one_after_another() {
        let both = [told(5, b"abc"), told(6, b"defg")].concat();
        let found: Vec<_> = messages(&both).collect();
        let packet = |id, bytes| {
            Message::Packet(Packet {
                id,
                mark: 0x20,
                interface_in: 3,
                interface_out: 0,
                bytes,
                cut: false,
            })
        };
        assert_eq!(found, [packet(5, b"abc"), packet(6, b"defg")]);
    }

    #[test]
    fn errors_are_told_by_their_numbers() {
        let mut bytes = Request::new(ERROR, 0, 0, 0).end();
        bytes[HEADER..].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        assert_eq!(
            messages(&bytes).collect::<Vec<_>>(),
            [Message::Done(libc::EPERM)]
        );
    }

    #[test]
    fn equal_verdicts_share_a_message() {
        let verdict = |id, pass| Verdict {
            id,
            pass,
            mark: pass.then_some(1),
        };
        let mut bytes = Vec::new();
        let all = [
            verdict(1, true),
            verdict(2, true),
            verdict(4, false),
            verdict(5, true),
        ];
        verdicts(7, &all, &mut bytes);
        let mut kinds = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some(length) = rest.first_chunk() {
            kinds.push(u16::from_ne_bytes([rest[4], rest[5]]));
            rest = &rest[u32::from_ne_bytes(*length) as usize..];
        }
        assert_eq!(kinds, [VERDICT_BATCH, VERDICT, VERDICT]);
        // The first covers both of its packets: it names the last.
        assert_eq!(bytes[HEADER + 4 + 4 + 4..][..4], 2u32.to_be_bytes());
    }

    proptest! {
        #[test]
        fn whatever_is_received_is_read_to_its_end(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..40) {
            messages(&bytes).for_each(drop);
            let mut whole = told(1, &bytes);
            let place = at.min(whole.len() - 1);
            whole[place] ^= 0x55;
            messages(&whole).for_each(drop);
            bytes.extend(&whole);
            messages(&bytes[..bytes.len() / 2]).for_each(drop);
        }
    }
}
