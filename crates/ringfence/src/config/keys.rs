//! The keys of each table and their defaults. The reader knows no other key, and the tests hold
//! the documentation and the commented file to this list.

/// A key, and its default as the documentation shows it.
#[derive(Debug)]
pub struct Key {
    /// The key as it stands in the file.
    pub name: &'static str,
    /// Its default.
    pub default: Preset,
}

/// The default of a key.
#[derive(Debug)]
pub enum Preset {
    /// A value, as TOML: to write it is to change nothing.
    Toml(&'static str),
    /// No fixed value: what holds instead, in words.
    Words(&'static str),
}

/// A table of the file.
#[derive(Debug)]
pub struct Table {
    /// How messages and the documentation name it.
    pub name: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

const fn key(name: &'static str, toml: &'static str) -> Key {
    Key {
        name,
        default: Preset::Toml(toml),
    }
}

const fn open(name: &'static str, words: &'static str) -> Key {
    Key {
        name,
        default: Preset::Words(words),
    }
}

/// The keys above the first table header.
pub const TOP: Table = Table {
    name: "the top of the file",
    keys: &[
        key("mode", "\"shadow\""),
        key("engine", "\"auto\""),
        key("interfaces", "[]"),
        key("countries", "[]"),
        open("asn", "a table"),
        key("permit", "[]"),
        key("deny", "[]"),
        key("permit_private", "true"),
        key("protect", "[]"),
        key("tripwires", "[]"),
        key("emergency", "[\"112\", \"911\", \"999\", \"000\"]"),
        key("events_per_second", "50"),
        key("state", "\"/var/lib/ringfence\""),
        key("bpffs", "\"/sys/fs/bpf\""),
        open("trust", "a table"),
        open("ban", "a table"),
        open("trunk", "tables"),
        open("proxy", "tables"),
        open("feed", "tables"),
        open("service", "tables"),
        open("signatures", "a table"),
        open("signature", "tables"),
        open("log", "tables"),
        open("control", "a table"),
        open("nfqueue", "a table"),
        open("agi", "a table"),
        open("notify", "a table"),
        open("asterisk", "a table"),
        open("fraud", "a table"),
        open("audit", "none"),
        open("host", "a table"),
        open("share", "a table"),
        open("country", "a table"),
    ],
};

/// An entry of `permit` or `deny` with a comment.
pub const ENTRY: Table = Table {
    name: "an entry of permit or deny",
    keys: &[
        open("address", "required"),
        open("comment", "none"),
        key("private", "false"),
    ],
};

/// `[trust]`.
pub const TRUST: Table = Table {
    name: "[trust]",
    keys: &[
        key("failures", "\"5/10m\""),
        key("users", "\"8/10m\""),
        key("requests", "\"10/10s\""),
        key("solicited", "\"10m\""),
    ],
};

/// `[ban]`.
pub const BAN: Table = Table {
    name: "[ban]",
    keys: &[
        key("enable", "true"),
        key("after", "\"30/60s\""),
        key("times", "[\"10m\", \"1h\", \"1d\", \"1w\"]"),
        key("remember", "\"30d\""),
        key("subnet", "0"),
    ],
};

/// `[[trunk]]`.
pub const TRUNK: Table = Table {
    name: "[[trunk]]",
    keys: &[open("name", "required"), open("hosts", "required")],
};

/// `[[proxy]]`.
pub const PROXY: Table = Table {
    name: "[[proxy]]",
    keys: &[open("name", "none"), open("addresses", "required")],
};

/// `[[feed]]`.
pub const FEED: Table = Table {
    name: "[[feed]]",
    keys: &[
        open("name", "required"),
        key("kind", "\"plain\""),
        open("url", "by kind"),
        open("file", "none"),
        key("format", "\"plain\""),
        open("key", "none"),
        open("key_env", "none"),
        open("key_credential", "none"),
        open("key_file", "none"),
        open("interval", "by kind"),
        open("expiry", "by kind"),
        key("max", "1000000"),
        key("action", "\"deny\""),
        key("column", "\"1\""),
        key("path", "\"$[*]\""),
        key("level", "1"),
        key("origins", "[]"),
        key("scenarios", "[]"),
        key("may_be_empty", "false"),
    ],
};

/// `[[service]]`.
pub const SERVICE: Table = Table {
    name: "[[service]]",
    keys: &[
        open("name", "required"),
        key("kind", "\"sip\""),
        open("ports", "by kind"),
        open("from", "by countries"),
        open("countries", "the file's"),
        open("asn", "a table"),
        key("domains", "[]"),
        key("domain_match", "\"gate\""),
        key("domain_opens", "[]"),
        key("sni", "\"match\""),
        open("rate", "by kind"),
        open("budget", "by kind"),
    ],
};

/// `asn` of a service.
pub const SERVICE_ASN: Table = Table {
    name: "asn",
    keys: &[key("allow", "[]"), key("deny", "[]")],
};

/// `from` of a service as a table.
pub const FROM: Table = Table {
    name: "from",
    keys: &[
        key("default", "\"countries\""),
        open("REGISTER", "`default`"),
        open("INVITE", "`default`"),
        open("OPTIONS", "`default`"),
        open("SUBSCRIBE", "`default`"),
        open("PUBLISH", "`default`"),
        open("MESSAGE", "`default`"),
        open("in-dialogue", "`default`"),
        open("other", "`default`"),
        open("responses", "`default`"),
    ],
};

/// `rate` of a service as a table.
pub const RATE: Table = Table {
    name: "rate",
    keys: &[
        key("REGISTER", "\"10/10s burst 20\""),
        key("INVITE", "\"5/10s burst 10\""),
        key("OPTIONS", "\"5/10s\""),
        key("SUBSCRIBE", "\"10/10s\""),
        key("PUBLISH", "\"10/10s\""),
        key("MESSAGE", "\"5/10s\""),
        key("in-dialogue", "\"50/10s\""),
        key("other", "\"5/10s\""),
        key("responses", "\"50/1s\""),
        key("not-sip", "\"5/10s\""),
        key("new-tcp", "\"10/10s\""),
    ],
};

/// `[asn]`.
pub const ASN: Table = Table {
    name: "[asn]",
    keys: &[open("db", "none")],
};

/// `[signatures]`.
pub const SIGNATURES: Table = Table {
    name: "[signatures]",
    keys: &[
        key("disable", "[]"),
        key("enable", "[]"),
        open("file", "none"),
    ],
};

/// `[[log]]`.
pub const LOG: Table = Table {
    name: "[[log]]",
    keys: &[
        open("file", "required, or `journal`"),
        open("journal", "required, or `file`"),
        open("of", "required, or `patterns`"),
        open("patterns", "required, or `of`"),
    ],
};

/// `[control]`.
pub const CONTROL: Table = Table {
    name: "[control]",
    keys: &[key("socket", "\"/run/ringfence/ringfence.sock\"")],
};

/// `[nfqueue]`.
pub const NFQUEUE: Table = Table {
    name: "[nfqueue]",
    keys: &[
        key("first", "5060"),
        open("queues", "one a CPU"),
        key("length", "4096"),
        key("fail", "\"open\""),
    ],
};

/// `[agi]`.
pub const AGI: Table = Table {
    name: "[agi]",
    keys: &[
        key("listen", "\"127.0.0.1:4573\""),
        key("from", "[]"),
        key("names", "[]"),
    ],
};

/// `[notify]`.
pub const NOTIFY: Table = Table {
    name: "[notify]",
    keys: &[
        key("most", "12"),
        key("digest", "\"1h\""),
        key(
            "kinds",
            "[\"ban\", \"audit\", \"fraud\", \"asterisk\", \"country\", \"feed\", \"forged\", \"fence\"]",
        ),
        open("mail", "none"),
        open("webhook", "none"),
        open("command", "none"),
    ],
};

/// `[notify.mail]`.
pub const NOTIFY_MAIL: Table = Table {
    name: "[notify.mail]",
    keys: &[
        open("to", "required"),
        open("from", "`ringfence@` this host"),
        key("server", "\"localhost:25\""),
        open("tls", "by server"),
        open("user", "none"),
        open("password", "none"),
        open("password_env", "none"),
        open("password_credential", "none"),
        open("password_file", "none"),
        open("ca", "none"),
    ],
};

/// `[notify.webhook]`.
pub const NOTIFY_WEBHOOK: Table = Table {
    name: "[notify.webhook]",
    keys: &[
        open("url", "required"),
        key("headers", "[]"),
        open("secret", "none"),
        open("secret_env", "none"),
        open("secret_credential", "none"),
        open("secret_file", "none"),
        open("ca", "none"),
    ],
};

/// `[notify.command]`.
pub const NOTIFY_COMMAND: Table = Table {
    name: "[notify.command]",
    keys: &[open("run", "required")],
};

/// `[asterisk]`.
pub const ASTERISK: Table = Table {
    name: "[asterisk]",
    keys: &[
        key("ami", "\"127.0.0.1:5038\""),
        key("user", "\"ringfence\""),
        open("secret", "one of the four"),
        open("secret_env", "one of the four"),
        open("secret_credential", "one of the four"),
        open("secret_file", "one of the four"),
        key("every", "\"5m\""),
    ],
};

/// `[fraud]`.
pub const FRAUD: Table = Table {
    name: "[fraud]",
    keys: &[
        key("mode", "\"shadow\""),
        key("action", "[\"tell\"]"),
        key("attempts", "20"),
        key("concurrent", "5"),
        key("destinations", "60"),
        key("expensive", "10"),
        key("hours", "[]"),
        open("closed", "a table"),
        open("home", "none"),
        key("outside", "[]"),
        key("prefixes", "[]"),
        key("cheap", "[]"),
        key("exempt", "[]"),
        key(
            "incoming",
            "[\"from-trunk\", \"from-pstn\", \"from-did\", \"from-sip-external\"]",
        ),
    ],
};

/// `[fraud.closed]`.
pub const FRAUD_CLOSED: Table = Table {
    name: "[fraud.closed]",
    keys: &[
        key("attempts", "5"),
        key("concurrent", "2"),
        key("destinations", "10"),
        key("expensive", "0"),
    ],
};

/// `[audit]`.
pub const AUDIT: Table = Table {
    name: "[audit]",
    keys: &[key("every", "\"1m\""), key("strangers", "\"tell\"")],
};

/// `[host]`.
pub const HOST: Table = Table {
    name: "[host]",
    keys: &[
        key("enable", "false"),
        key("refuse", "\"reject\""),
        open("rtp", "none"),
        key("pinholes", "false"),
    ],
};

/// `[share]`.
pub const SHARE: Table = Table {
    name: "[share]",
    keys: &[
        open("http", "none"),
        key("allow", "[]"),
        open("files", "none"),
        key("proved_only", "true"),
        key("every", "\"30s\""),
    ],
};

/// `[country]`.
pub const COUNTRY: Table = Table {
    name: "[country]",
    keys: &[
        open("source", "`\"builtin\"`, or by `file` and `url`"),
        key("update", "\"daily\""),
        open("account", "of GeoIP.conf"),
        open("licence_key", "of GeoIP.conf"),
        open("licence_key_env", "none"),
        open("licence_key_credential", "none"),
        open("licence_key_file", "none"),
        open("edition", "`\"GeoLite2-Country\"`"),
        open("token", "one of the four"),
        open("token_env", "one of the four"),
        open("token_credential", "one of the four"),
        open("token_file", "one of the four"),
        open("variant", "`\"user-country\"`"),
        open("url", "required for \"url\""),
        open("file", "required for \"file\""),
        open("base", "the provider"),
        open("groups", "a table"),
    ],
};

/// Every table, in the order of the documentation.
pub const TABLES: &[&Table] = &[
    &TOP,
    &ENTRY,
    &TRUST,
    &BAN,
    &TRUNK,
    &PROXY,
    &FEED,
    &SERVICE,
    &FROM,
    &SERVICE_ASN,
    &RATE,
    &ASN,
    &SIGNATURES,
    &LOG,
    &CONTROL,
    &NFQUEUE,
    &AGI,
    &NOTIFY,
    &NOTIFY_MAIL,
    &NOTIFY_WEBHOOK,
    &NOTIFY_COMMAND,
    &ASTERISK,
    &FRAUD,
    &FRAUD_CLOSED,
    &AUDIT,
    &HOST,
    &SHARE,
    &COUNTRY,
];

impl Table {
    /// The names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|k| k.name)
    }

    /// Whether `name` is one of the keys.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|k| k == name)
    }
}
