//! Keyed hashes: which slot a source falls in must not be foreseeable from outside.

use crate::address::Address;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The secret of this boot: random, written once by the daemon, kept across its restarts.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Key {
    /// Two words of SipHash key.
    pub words: [u64; 2],
}

struct Sip {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl Sip {
    #[inline(always)]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }

    #[inline(always)]
    fn take(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }
}

impl Key {
    /// SipHash-1-3 (Aumasson and Bernstein, 2012) of two little-endian words.
    #[inline(always)]
    pub fn hash(&self, words: [u64; 2]) -> u64 {
        let [k0, k1] = self.words;
        let mut sip = Sip {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        };
        sip.take(words[0]);
        sip.take(words[1]);
        sip.take(16 << 56);
        sip.v2 ^= 0xff;
        sip.round();
        sip.round();
        sip.round();
        sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3
    }

    /// What rates of the source are counted by.
    #[inline(always)]
    pub fn source(&self, source: Address) -> u64 {
        self.hash(source.subject().words()) | 1
    }

    /// What rates of a network of the source, its /24 or /48, are counted by.
    #[inline(always)]
    pub fn net(&self, source: Address) -> u64 {
        let words = source.net().words();
        mix(mix(self.words[0], words[0]), words[1] ^ self.words[1]) | 1
    }

    /// The bit of the ban filter that stands for `subject`: quick, since a guessed collision
    /// costs only a look into the table of bans.
    #[inline(always)]
    pub fn filter_bit(&self, subject: Address) -> u32 {
        let [a, b] = subject.words();
        let mixed = mix(
            (a ^ self.words[0]).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b,
            self.words[1],
        );
        (mixed >> 44) as u32
    }
}

/// Stirs `value` with `with`; good enough behind a SipHash, never in front of one.
#[inline(always)]
pub fn mix(value: u64, with: u64) -> u64 {
    let x = (value ^ with).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siphash_1_3_agrees_with_the_standard_library() {
        extern crate std;
        {
            use core::hash::Hasher;
            // The standard hasher is SipHash-1-3 with a key of zero.
            for n in 0..100u64 {
                let words = [n.wrapping_mul(0x1234_5678_9abc_def1), !n];
                let mut hasher = std::collections::hash_map::DefaultHasher::new();
                hasher.write(&words[0].to_le_bytes());
                hasher.write(&words[1].to_le_bytes());
                assert_eq!(Key { words: [0, 0] }.hash(words), hasher.finish());
            }
        }
    }
}
