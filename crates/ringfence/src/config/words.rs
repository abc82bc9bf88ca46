//! Enums whose values are words of the file, and the words themselves.

use std::fmt;

/// A value that is one word out of a fixed set.
pub trait Word: Copy + Sized + 'static {
    /// Every value, in the order of the documentation.
    const WORDS: &'static [Self];

    /// The word as it stands in the file.
    fn as_str(self) -> &'static str;

    /// The value that the word stands for.
    fn from_word(text: &str) -> Option<Self> {
        Self::WORDS.iter().copied().find(|w| w.as_str() == text)
    }
}

/// Declares an enum, its words and their order in one place.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];
        }

        impl $crate::config::words::Word for $name {
            const WORDS: &'static [Self] = &Self::ALL;

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::config::words::Word::as_str(*self))
            }
        }
    };
}
pub(super) use words;

words! {
    /// Whether verdicts are carried out.
    pub enum Mode {
        /// Every verdict is reached, counted and reported, and nothing is dropped.
        Shadow = "shadow",
        /// Verdicts hold.
        Enforce = "enforce",
    }
}

words! {
    /// What a service speaks.
    pub enum Kind {
        /// SIP over UDP or TCP (RFC 3261).
        Sip = "sip",
        /// SIP over TLS (RFC 3261, section 26.2).
        Sips = "sips",
        /// SIP over WebSocket (RFC 7118).
        Ws = "ws",
        /// SIP over WebSocket over TLS (RFC 7118).
        Wss = "wss",
        /// Inter-Asterisk eXchange, version 2 (RFC 5456).
        Iax2 = "iax2",
        /// Anything else; what it carries is not read.
        Plain = "plain",
    }
}

words! {
    /// Whom a service admits.
    pub enum Admission {
        /// Every source.
        Anyone = "anyone",
        /// Sources of the service's countries.
        Countries = "countries",
        /// Sources that the operator named.
        Permitted = "permitted",
    }
}

words! {
    /// Where a domain of the service must stand in a request.
    pub enum DomainMatch {
        /// As the host of the Request-URI, To, From or Route.
        Gate = "gate",
        /// Anywhere in the packet.
        Anywhere = "anywhere",
    }
}

words! {
    /// Which fences a REGISTER that names one of the service's domains passes.
    pub enum DomainOpens {
        /// The country fence, at the limits of an unknown source.
        Country = "country",
    }
}

words! {
    /// What a TLS ClientHello without a server name (RFC 6066, section 3) means.
    pub enum Sni {
        /// A wrong name is a stranger's; a missing one is undecided.
        Match = "match",
        /// A missing name is a stranger's too.
        Require = "require",
    }
}

words! {
    /// A transport protocol with ports.
    pub enum Protocol {
        /// UDP.
        Udp = "udp",
        /// TCP.
        Tcp = "tcp",
    }
}

/// Words between quotes, joined as in a sentence: `"a", "b" or "c"`.
pub(super) struct Choice<'w, W>(pub &'w [W]);

impl<W: Word> fmt::Display for Choice<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.0.iter().enumerate() {
            let joint = match i {
                0 => "",
                _ if i + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{joint}\"{}\"", word.as_str())?;
        }
        Ok(())
    }
}
