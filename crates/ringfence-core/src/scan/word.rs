//! Words of eight bytes: comparisons of all bytes at once.

const ONES: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;

/// The byte `byte` in every byte of a word.
#[inline(always)]
pub const fn every(byte: u8) -> u64 {
    byte as u64 * ONES
}

/// The high bit of every byte of `word` that is zero.
#[inline(always)]
pub(crate) const fn zeros(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word | !HIGH)
}

/// Bytes before the first marked one of `marks`, which is not 0.
#[inline(always)]
pub(crate) const fn first(marks: u64) -> u32 {
    marks.trailing_zeros() >> 3
}

/// ASCII letters of `word` in lower case. Bytes below `@` stay what they are, and no byte becomes a
/// letter that it was not.
#[inline(always)]
pub const fn lower(word: u64) -> u64 {
    word | (word & every(0x40)) >> 1
}

/// The first `count` bytes of a word, at most 8.
#[inline(always)]
pub const fn head(word: u64, count: u32) -> u64 {
    if count >= 8 {
        word
    } else {
        word & ((1 << (count * 8)) - 1)
    }
}

/// A text of at most 8 bytes as the word that begins with it.
pub const fn text(text: &[u8]) -> u64 {
    let mut word = 0;
    let mut n = 0;
    while n < text.len() {
        word |= (text[n] as u64) << (n * 8);
        n += 1;
    }
    word
}
