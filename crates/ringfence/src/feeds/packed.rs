//! Entries of the merged set in little memory: a word for IPv4, 20 bytes for IPv6. Their order is that of address,
//! length, strength of the action and feed.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::merged::FeedEntry;
use crate::config::FeedAction;

/// An IPv6 entry; its order is that of address, length, rank and feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    pub(super) address: [u8; 16],
    pub(super) tag: u32,
}

/// Bits of the rank of the action, and of the feed below it.
pub(super) const RANK: u32 = 16;
pub(super) const LENGTH: u32 = 24;
pub(super) const ADDRESS: u32 = 32;

/// The tag of an entry: its length, the rank of its action and its feed, in 32 bits.
pub(super) fn tag(length: u8, action: FeedAction, feed: u16) -> u32 {
    u32::from(length) << LENGTH | rank(action) << RANK | u32::from(feed)
}

/// The word of an IPv4 entry: the address above its tag.
pub(super) fn pack(address: u32, tag: u32) -> u64 {
    u64::from(address) << ADDRESS | u64::from(tag)
}

pub(super) fn unpack(word: u64) -> (u32, u32) {
    let low = u64::from(u32::MAX);
    let half = |bits: u64| u32::try_from(bits & low).unwrap_or(0);
    (half(word >> ADDRESS), half(word))
}

/// The strongest is 0.
pub(super) fn rank(action: FeedAction) -> u32 {
    match action {
        FeedAction::Deny => 0,
        FeedAction::Ban => 1,
        FeedAction::Score => 2,
    }
}

pub(super) fn rank_of(tag: u32) -> u32 {
    tag >> RANK & 0xff
}

pub(super) fn length_of(tag: u32) -> u8 {
    u8::try_from(tag >> LENGTH).unwrap_or(u8::MAX)
}

pub(super) fn action_of(tag: u32) -> FeedAction {
    match rank_of(tag) {
        0 => FeedAction::Deny,
        1 => FeedAction::Ban,
        _ => FeedAction::Score,
    }
}

pub(super) fn feed_of(tag: u32) -> u16 {
    u16::try_from(tag & 0xffff).unwrap_or(0)
}

pub(super) fn mask_v4(length: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(length).min(32))
        .unwrap_or(0)
}

pub(super) fn same_bits_v4(one: u32, other: u32, length: u8) -> bool {
    (one ^ other) & mask_v4(length) == 0
}

pub(super) fn entry_v4(word: u64) -> FeedEntry {
    let (address, tag) = unpack(word);
    let net = Ipv4Net::new(Ipv4Addr::from_bits(address), length_of(tag));
    FeedEntry {
        range: IpNet::V4(net.unwrap_or_default()),
        feed: feed_of(tag),
        action: action_of(tag),
    }
}

pub(super) fn entry_v6(wide: &Wide) -> FeedEntry {
    let net = Ipv6Net::new(Ipv6Addr::from(wide.address), length_of(wide.tag));
    FeedEntry {
        range: IpNet::V6(net.unwrap_or_default()),
        feed: feed_of(wide.tag),
        action: action_of(wide.tag),
    }
}
