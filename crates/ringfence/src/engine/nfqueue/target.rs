//! Queues by the target `NFQUEUE` of iptables inside a chain of nftables: for kernels that have it and not the expression
//! `queue` (CONFIG_NFT_QUEUE). The program `nft` cannot write such a rule. Source: linux/netfilter/nf_tables.h,
//! nf_tables_compat.h, xt_NFQUEUE.h.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::netlink::{ACKNOWLEDGE, Message, REQUEST};
use super::protocol;

const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const DELETE_RULE: u16 = NFTABLES << 8 | 8;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
/// The family `inet`.
const INET: u8 = 1;

/// Attributes of a rule, and of the expressions in it.
mod attribute {
    pub const TABLE: u16 = 1;
    pub const CHAIN: u16 = 2;
    pub const EXPRESSIONS: u16 = 4;
    pub const ELEMENT: u16 = 1;
    pub const NAME: u16 = 1;
    pub const DATA: u16 = 2;
    pub const TARGET_NAME: u16 = 1;
    pub const TARGET_REVISION: u16 = 2;
    pub const TARGET_INFO: u16 = 3;
}

/// A packet passes where nobody holds its queue.
const BYPASS: u16 = 1;

/// Makes a rule with this target the only one of a chain, in one transaction.
///
/// # Errors
/// ENOENT on a kernel without `xt_NFQUEUE` or `nft_compat`.
pub fn queue_all(table: &str, chain: &str, queues: (u16, u16), bypass: bool) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut batch = Message::new(BATCH_BEGIN, REQUEST, 0, NFTABLES).end();
    let mut flush = Message::new(DELETE_RULE, REQUEST | ACKNOWLEDGE, INET, 0);
    flush.text(attribute::TABLE, table);
    flush.text(attribute::CHAIN, chain);
    batch.extend(flush.end());
    let flags = REQUEST | ACKNOWLEDGE | CREATE | APPEND;
    let mut rule = Message::new(NEW_RULE, flags, INET, 0);
    rule.text(attribute::TABLE, table);
    rule.text(attribute::CHAIN, chain);
    rule.nested(attribute::EXPRESSIONS, |rule| {
        rule.nested(attribute::ELEMENT, |rule| {
            rule.text(attribute::NAME, "target");
            rule.nested(attribute::DATA, |rule| {
                rule.text(attribute::TARGET_NAME, "NFQUEUE");
                rule.attribute(attribute::TARGET_REVISION, &3u32.to_be_bytes());
                rule.attribute(attribute::TARGET_INFO, &info(queues, bypass));
            });
        });
    });
    batch.extend(rule.end());
    batch.extend(Message::new(BATCH_END, REQUEST, 0, NFTABLES).end());
    socket.send(&batch, 0)?;
    // One answer for each of the two.
    let mut answered = 0;
    let mut room = Vec::with_capacity(0x2000);
    while answered < 2 {
        room.clear();
        socket.recv(&mut room, 0)?;
        for message in protocol::messages(&room) {
            match message {
                protocol::Message::Done(0) => answered += 1,
                protocol::Message::Done(code) => return Err(io::Error::from_raw_os_error(code)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// `struct xt_NFQ_info_v3`, with the padding that the kernel counts.
fn info((first, last): (u16, u16), bypass: bool) -> [u8; 8] {
    let mut info = [0; 8];
    let total = last.saturating_sub(first).saturating_add(1);
    let flags = if bypass { BYPASS } else { 0 };
    info[..2].copy_from_slice(&first.to_ne_bytes());
    info[2..4].copy_from_slice(&total.to_ne_bytes());
    info[4..6].copy_from_slice(&flags.to_ne_bytes());
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_settings_are_as_the_kernel_reads_them() {
        let words =
            |info: [u8; 8]| [0, 2, 4, 6].map(|at| u16::from_ne_bytes([info[at], info[at + 1]]));
        assert_eq!(words(info((5060, 5063), true)), [5060, 4, 1, 0]);
        assert_eq!(words(info((7, 7), false)), [7, 1, 0, 0]);
    }
}
