//! Whom a refusal is held against.

use crate::hash::mix;

/// Whom a refusal is held against, as two numbers that rates are counted by: a stranger and its
/// network, or, where phones belong behind the same address, the account and the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// The source, or the account at its address.
    pub first: u64,
    /// The network of the source, or its flow.
    pub second: u64,
}

impl Culprit {
    /// `source` and `net` are keyed hashes of the source and of its /24 or /48.
    #[inline(always)]
    pub fn new(source: u64, net: u64, belongs: bool, account: u64, port: u16) -> Self {
        if belongs {
            Self {
                first: mix(source, account | 1) | 1,
                second: flow_hash(source, port),
            }
        } else {
            Self {
                first: source,
                second: net,
            }
        }
    }
}

/// What the limits of one flow are counted by; `source` is the keyed hash of its source.
#[inline(always)]
pub fn flow_hash(source: u64, port: u16) -> u64 {
    mix(source, 0xf10f_0000 | u64::from(port)) | 1
}
