//! Words of the table of marks.

/// The word that says since when this host's requests are remembered: boot time in ns.
pub const SENT_SINCE: u32 = 0;
/// The word that says when one was last forgotten before its time.
pub(crate) const SENT_FULL: u32 = 1;
/// The word that the emergency calls of strangers are counted in.
pub(crate) const EMERGENCY_WORD: u32 = 2;
/// The word that requests within dialogues of sources that are not admitted are counted in.
pub(crate) const GOES_ON_WORD: u32 = 3;
/// The same for INVITE.
pub(crate) const INVITES_WORD: u32 = 4;
/// The same for responses.
pub(crate) const ANSWERS_WORD: u32 = 5;
