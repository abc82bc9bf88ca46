//! Message classes: what rates are counted by.

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// The class of a message. The numbers index a service's table of rates.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Class { $($(#[$doc])* $name = $number,)* }

        impl Class {
            /// Every class, in the order of their numbers.
            pub const ALL: &'static [Class] = &[$(Class::$name,)*];

            /// The public name, which is also the key in a service's `rate` table.
            pub const fn name(self) -> &'static str {
                match self { $(Class::$name => $text,)* }
            }

            /// The class with this number.
            pub const fn from_number(number: u8) -> Option<Class> {
                match number { $($number => Some(Class::$name),)* _ => None }
            }
        }
    };
}

classes! {
    /// REGISTER (RFC 3261, section 10).
    Register = 0, "REGISTER";
    /// INVITE without a To tag (RFC 3261, section 13).
    Invite = 1, "INVITE";
    /// OPTIONS (RFC 3261, section 11).
    Options = 2, "OPTIONS";
    /// SUBSCRIBE (RFC 6665).
    Subscribe = 3, "SUBSCRIBE";
    /// PUBLISH (RFC 3903).
    Publish = 4, "PUBLISH";
    /// MESSAGE (RFC 3428).
    Message = 5, "MESSAGE";
    /// Requests with a To tag; ACK and CANCEL, which follow their INVITE.
    InDialogue = 6, "in-dialogue";
    /// Any other request.
    Other = 7, "other";
    /// Responses.
    Response = 8, "responses";
    /// What is not SIP.
    NotSip = 9, "not-sip";
    /// A new TCP connection; for plain services a new flow.
    NewTcp = 10, "new-tcp";
    /// Keep-alives: a few bytes, line ends, STUN.
    KeepAlive = 11, "keep-alive";
}

/// Slots for classes in a service's tables: a power of two.
pub const CLASSES: usize = 16;

const _: () = assert!(Class::ALL.len() <= CLASSES);
