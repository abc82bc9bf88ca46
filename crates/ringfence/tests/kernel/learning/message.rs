//! SIP messages, by what differs from one to the next.

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Request-Line or Status-Line.
    pub start: String,
    pub branch: String,
    pub call: String,
    pub from: String,
    pub to: String,
    pub sequence: String,
    /// Further header fields, each with its line end.
    pub more: String,
}

impl Message {
    /// A request of `user`'s phone, for itself where it registers.
    pub fn request(method: &str, user: &str, call: &str) -> Self {
        Self {
            start: format!("{method} sip:{user}@pbx.example.org SIP/2.0"),
            branch: format!("z9hG4bK{call}"),
            call: call.into(),
            from: format!("<sip:{user}@pbx.example.org>;tag=f{call}"),
            to: format!("<sip:{user}@pbx.example.org>"),
            sequence: format!("1 {method}"),
            more: String::new(),
        }
    }

    /// With further header fields.
    pub fn more(mut self, more: &str) -> Self {
        self.more.push_str(more);
        self
    }

    /// The next request of the same phone: with credentials, for one.
    pub fn again(&self, number: u32) -> Self {
        let method = self.start.split(' ').next().unwrap_or_default();
        Self {
            branch: format!("{}-{number}", self.branch),
            sequence: format!("{number} {method}"),
            ..self.clone()
        }
    }

    /// A later request of the caller in the call that this one began.
    pub fn within(&self, method: &str) -> Self {
        Self {
            start: format!("{method} sip:pbx@192.0.2.10:5060 SIP/2.0"),
            branch: format!("{}-{method}", self.branch),
            to: format!("{};tag=other", self.to),
            sequence: format!("7 {method}"),
            more: String::new(),
            ..self.clone()
        }
    }

    /// The response to it, with the tag of who gives it.
    pub fn answer(&self, status: &str, more: &str) -> Self {
        let tagged = status.starts_with("100") || self.to.contains(";tag=");
        Self {
            start: format!("SIP/2.0 {status}"),
            to: format!("{}{}", self.to, if tagged { "" } else { ";tag=other" }),
            more: more.into(),
            ..self.clone()
        }
    }

    /// As it is sent.
    pub fn text(&self) -> Vec<u8> {
        let Self {
            start,
            branch,
            call,
            from,
            to,
            sequence,
            more,
        } = self;
        format!(
            "{start}\r\nVia: SIP/2.0/UDP 10.0.0.9:5062;branch={branch};rport\r\nFrom: {from}\r\n\
             To: {to}\r\nCall-ID: {call}\r\nCSeq: {sequence}\r\n{more}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }
}

/// Credentials that answer a nonce.
pub fn credentials(user: &str, nonce: &str) -> String {
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"pbx\", nonce=\"{nonce}\", \
         uri=\"sip:pbx.example.org\", response=\"0123456789abcdef\"\r\n"
    )
}

/// A challenge with a nonce.
pub fn challenge(nonce: &str) -> String {
    format!("WWW-Authenticate: Digest realm=\"pbx\", nonce=\"{nonce}\"\r\n")
}
