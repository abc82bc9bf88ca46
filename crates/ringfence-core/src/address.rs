//! One 16-byte form for IPv4 and IPv6 addresses.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An IPv6 address, or an IPv4 address in its mapped form `::ffff:a.b.c.d` (RFC 4291, section
/// 2.5.5.2). The bytes in memory are in network order, so that the value is a key of a prefix trie.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(C)]
pub struct Address {
    words: [u64; 2],
}

const _: () = assert!(size_of::<Address>() == 16, "a key of the kernel's maps");

/// The second word of a mapped IPv4 address, host order, without the address itself.
const MAPPED: u64 = 0x0000_ffff_0000_0000;

/// Marks a flow in a word of its subject that is otherwise zero.
const FLOW: u64 = 0xf10f << 48;

/// Two words that follow each other in memory as one.
#[inline(always)]
const fn join(first: u32, second: u32) -> u64 {
    if cfg!(target_endian = "little") {
        first as u64 | (second as u64) << 32
    } else {
        (first as u64) << 32 | second as u64
    }
}

impl Address {
    /// The mapped form of the IPv4 address `octets`.
    #[inline(always)]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let low = MAPPED | u32::from_be_bytes(octets) as u64;
        Self {
            words: [0, low.to_be()],
        }
    }

    /// The IPv6 address `octets`.
    #[inline(always)]
    pub const fn v6(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self {
            words: [
                u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
                u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
            ],
        }
    }

    /// The mapped form of the IPv4 address that lies in memory as `word`.
    #[inline(always)]
    pub const fn from_v4_word(word: u32) -> Self {
        Self {
            words: [0, join(u32::from_ne_bytes([0, 0, 0xff, 0xff]), word)],
        }
    }

    /// The IPv6 address that lies in memory as these four words.
    #[inline(always)]
    pub const fn from_v6_words(words: [u32; 4]) -> Self {
        let [a, b, c, d] = words;
        Self {
            words: [join(a, b), join(c, d)],
        }
    }

    /// The address whose 16 bytes are the two words `words` as they lie in memory.
    #[inline(always)]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self { words }
    }

    /// The 16 bytes as two words, as they lie in memory.
    #[inline(always)]
    pub const fn words(self) -> [u64; 2] {
        self.words
    }

    /// The 16 bytes in network order.
    pub const fn octets(self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h] = self.words[0].to_ne_bytes();
        let [i, j, k, l, m, n, o, p] = self.words[1].to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// Whether this is a mapped IPv4 address.
    #[inline(always)]
    pub const fn is_v4(self) -> bool {
        self.words[0] == 0 && u64::from_be(self.words[1]) >> 32 == MAPPED >> 32
    }

    /// The IPv4 address as a number, where it is one.
    #[inline(always)]
    pub const fn as_v4(self) -> Option<u32> {
        if self.is_v4() {
            Some(u64::from_be(self.words[1]) as u32)
        } else {
            None
        }
    }

    /// The first 64 bits as a number: the network of an IPv6 address.
    #[inline(always)]
    pub const fn network(self) -> u64 {
        u64::from_be(self.words[0])
    }

    /// What limits and bans are counted by: an IPv4 address itself, an IPv6 address's /64.
    #[inline(always)]
    pub const fn subject(self) -> Self {
        if self.is_v4() {
            self
        } else {
            Self {
                words: [self.words[0], 0],
            }
        }
    }

    /// What the limits of a network are counted by: an IPv4 /24 or an IPv6 /48.
    #[inline(always)]
    pub const fn net(self) -> Self {
        if self.is_v4() {
            let low = u64::from_be(self.words[1]) & !0xff;
            Self {
                words: [1, low.to_be()],
            }
        } else {
            let high = u64::from_be(self.words[0]) & !0xffff;
            Self {
                words: [high.to_be(), 1],
            }
        }
    }

    /// The first address and the prefix length (bits) of the network of [`Address::net`], where
    /// this is one.
    pub const fn as_net(self) -> Option<(Self, u8)> {
        if self.words[0] == 1 && u64::from_be(self.words[1]) >> 32 == MAPPED >> 32 {
            let words = [0, self.words[1]];
            Some((Self { words }, 24))
        } else if self.words[1] == 1 {
            let words = [self.words[0], 0];
            Some((Self { words }, 48))
        } else {
            None
        }
    }

    /// What a ban of one flow is kept under: the subject with the source port, in a form that no
    /// subject has.
    #[inline(always)]
    pub const fn flow(self, port: u16) -> Self {
        let [a, b] = self.subject().words;
        if self.is_v4() {
            Self {
                words: [(FLOW | port as u64).to_be(), b],
            }
        } else {
            Self {
                words: [a, (FLOW | port as u64).to_be()],
            }
        }
    }

    /// The subject and the port of [`Address::flow`], where this is one.
    pub const fn as_flow(self) -> Option<(Self, u16)> {
        let [a, b] = [u64::from_be(self.words[0]), u64::from_be(self.words[1])];
        if a & !0xffff == FLOW && b >> 32 == MAPPED >> 32 {
            let words = [0, self.words[1]];
            Some((Self { words }, a as u16))
        } else if b & !0xffff == FLOW {
            let words = [self.words[0], 0];
            Some((Self { words }, b as u16))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let four = Address::v4([192, 0, 2, 1]);
        assert!(four.is_v4());
        assert_eq!(four.as_v4(), Some(0xc000_0201));
        assert_eq!(
            four.octets(),
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]
        );
        assert_eq!(four.subject(), four);
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        octets[15] = 9;
        let six = Address::v6(octets);
        assert!(!six.is_v4());
        assert_eq!(six.network(), 0x2001_0db8_0000_0000);
        assert_eq!(six.octets(), octets);
        octets[15] = 0;
        assert_eq!(six.subject(), Address::v6(octets));
        assert!(!Address::v6([0; 16]).is_v4());
        let net = (Address::v4([192, 0, 2, 0]), 24);
        assert_eq!(four.net().as_net(), Some(net));
        let net = (
            Address::v6([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            48,
        );
        assert_eq!(six.net().as_net(), Some(net));
        for source in [four, six] {
            assert_eq!(source.as_net(), None);
            assert_eq!(source.subject().as_flow(), None);
            let flow = source.flow(5060);
            assert_eq!(flow.as_flow(), Some((source.subject(), 5060)));
            assert_eq!((flow.as_net(), source.net().as_flow()), (None, None));
        }
        assert_eq!(
            Address::from_v4_word(u32::from_ne_bytes([192, 0, 2, 1])),
            four
        );
        let word = |n: usize| u32::from_ne_bytes(core::array::from_fn(|k| octets[n * 4 + k]));
        assert_eq!(
            Address::from_v6_words([word(0), word(1), word(2), word(3)]),
            Address::v6(octets)
        );
    }
}
