//! The public names of verdicts: one list for counters, events, metrics, the command line and docs.

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// On to the network stack.
    Pass = 0,
    /// Gone, without an answer.
    Drop = 1,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $action:ident, $detail:literal;)*) => {
        /// Why a packet was passed or dropped. The numbers index the kernel's counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name = $number,)* }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The public name. Two reasons may share it, where the table of judgement has one
            /// name for a thing that is passed in one case and dropped in another.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }

            /// What the public name leaves open.
            pub const fn detail(self) -> &'static str {
                match self { $(Reason::$name => $detail,)* }
            }

            /// Whether packets with this reason pass or are dropped.
            #[inline(always)]
            pub const fn action(self) -> Action {
                const DROPS: u64 = $((Action::$action as u64) << $number)|*;
                if DROPS >> (self as u64) & 1 == 1 { Action::Drop } else { Action::Pass }
            }

            /// The reason with this number.
            pub const fn from_number(number: u8) -> Option<Reason> {
                match number { $($number => Some(Reason::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// The destination is none of the services.
    Unprotected = 0, "unprotected", Pass, "no service at this port";
    /// The source is on the operator's deny list.
    Denied = 1, "denied", Drop, "on the deny list";
    /// The source is on the operator's permit list, or a neighbour with a private address.
    Permitted = 2, "permitted", Pass, "on the permit list";
    /// The source is an address of this host, or one that no wire may carry.
    Spoofed = 3, "spoofed", Drop, "an address that cannot come from this wire";
    /// A later fragment, which has no port.
    Fragment = 4, "fragment", Pass, "a later fragment";
    /// A first fragment made to hide what it carries, or one that overlaps it.
    BadFragment = 5, "fragment", Drop, "a first fragment too short, or overlapped";
    /// The source is banned for this kind of service.
    Banned = 6, "banned", Drop, "banned";
    /// The source is a provider that the operator named.
    Trunk = 7, "trunk", Pass, "a trunk of ours";
    /// The source's country is not allowed for this service and method.
    Country = 8, "country", Drop, "the country is not admitted";
    /// The source is over its rate for this class of message.
    Rate = 9, "rate", Drop, "over its rate";
    /// A signature of a scanner or attack tool.
    Signature = 10, "signature", Drop, "a scanner's mark";
    /// Neither SIP nor TLS nor a keep-alive, or headers that cannot be true.
    Malformed = 11, "malformed", Drop, "not what the service speaks";
    /// The request names none of the service's domains.
    Domain = 12, "domain", Drop, "names none of our domains";
    /// Strangers together, or this one, spent what they may get through.
    Budget = 13, "budget", Drop, "the strangers' budget is spent";
    /// Nothing against it.
    Clean = 14, "clean", Pass, "nothing against it";
    /// Not yet known: the name was not in the first segment, or the flow began before the fence.
    Undecided = 15, "undecided", Pass, "not known yet";
    /// A keep-alive: a few bytes, line ends, or STUN.
    KeepAlive = 16, "clean", Pass, "a keep-alive";
    /// A trunk asked for what no trunk may have: a registration.
    Refused = 17, "trunk", Drop, "a registration from a trunk";
    /// A message start that is not whole in its segment; the sender's retransmission is judged.
    Incomplete = 18, "malformed", Drop, "a message start that is not whole";
    /// A phone that is registered here.
    Registered = 19, "registered", Pass, "registered here";
    /// This host's requests are answered from there.
    Solicited = 20, "solicited", Pass, "it answers what we ask of it";
    /// Part of a dialogue of ours.
    Dialogue = 21, "dialogue", Pass, "part of a call or subscription of ours";
    /// A call to an emergency number.
    Emergency = 22, "emergency", Pass, "an emergency call";
    /// Too many of its credentials were refused.
    Failures = 23, "failures", Drop, "its credentials were refused too often";
    /// It asks for too many different users, numbers or addresses.
    Enumeration = 24, "enumeration", Drop, "it asks for too many different users";
    /// It asks for a user that nobody here has.
    Tripwire = 25, "tripwire", Drop, "it asks for a user that nobody here has";
    /// A response to nothing that this host sent.
    Unsolicited = 26, "unsolicited", Drop, "a response to nothing that we asked";
    /// The source is on a threat list.
    Feed = 27, "feed", Drop, "on a threat list";
    /// The service does not admit the source's network (autonomous system).
    Network = 28, "network", Drop, "the network is not admitted";
}

/// The number of slots for reasons in counters: a power of two, with room for more.
pub const REASONS: usize = 32;

const _: () = assert!(Reason::ALL.len() <= REASONS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_indexes() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(Reason::from_number(index as u8), Some(*reason));
            for other in &Reason::ALL[..index] {
                assert_ne!(other.detail(), reason.detail());
            }
        }
        assert_eq!(Reason::from_number(Reason::ALL.len() as u8), None);
    }
}
