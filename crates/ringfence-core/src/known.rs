//! What is known of the sender of a message, and what the message says of itself. It lies in memory
//! beside the window, as the verdict does.

use crate::judge::{Asked, RateQuery};
use crate::trust::{Account, Contact, Least, Lesson, NAME, Record, Standing};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is known, and what the message says. Digests are 0 where there is nothing.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Known {
    /// What is known of the address.
    pub(crate) standing: Standing,
    /// A registration that is written.
    pub(crate) contact: Contact,
    /// An account that is written.
    pub(crate) account: Account,
    /// What is told to the daemon.
    pub(crate) lesson: Lesson,
    /// A request that is noted, or that was found.
    pub(crate) record: Record,
    /// The user of To.
    pub(crate) name: [u64; NAME / 8],
    /// Keyed hashes of whom a refusal is held against.
    pub(crate) culprits: [u64; 2],
    /// Something that the source asked for.
    pub(crate) asked: Asked,
    /// For [`Dialogue::reach`](crate::trust::Dialogue::reach).
    pub(crate) least: Least,
    /// What is asked of the table of rates.
    pub(crate) rate: RateQuery,
    /// What the record is found by.
    pub(crate) hash: u64,
    /// Digest of the Call-ID.
    pub(crate) call: u64,
    /// The dialogue that a message is part of, as its hash.
    pub(crate) dialogue: u64,
    /// Digests of the tags of From and To.
    pub(crate) tags: [u64; 2],
    /// Digest of the branch of the topmost Via.
    pub(crate) branch: u64,
    /// Digest of the user of To.
    pub(crate) to_user: u64,
    /// Digest of the user of From.
    pub(crate) from_user: u64,
    /// Digest of the user of the Request-URI.
    pub(crate) request_user: u64,
    /// Digest of the user name of the credentials.
    pub(crate) credentials_user: u64,
    /// Digest of the user that was last looked for.
    pub(crate) found: u64,
    /// The user of To and that of the Request-URI, packed.
    pub(crate) to_user_span: u32,
    pub(crate) request_user_span: u32,
    /// The stretch that was last looked for, packed.
    pub(crate) found_span: u32,
    /// Zero.
    pub(crate) reserved: u32,
    /// Status code, 0 for a request.
    pub(crate) status: u32,
    /// Seconds granted to the contact of the request, to the sender's host and port, and the
    /// smallest; [`NOT_GRANTED`] where there is none.
    pub(crate) granted: [u32; 3],
    /// A stretch that is looked into, packed.
    pub(crate) place: u32,
    /// 1: no message of the connection was seen before; 1: its beginning was not seen.
    pub(crate) first_message: u32,
    pub(crate) unknown_flow: u32,
    /// 1: the challenge says that the nonce was too old, and nothing else is wrong.
    pub(crate) stale: u32,
    /// 1: the response is to an INVITE.
    pub(crate) invite: u32,
    /// The user name of the credentials, packed.
    pub(crate) credentials_span: u32,
}

/// No time was granted.
pub(crate) const NOT_GRANTED: u32 = u32::MAX;
