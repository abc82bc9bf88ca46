//! What is served at a path, and how badly.

use std::time::Duration;

/// An answer. As [`new`](Self::new) makes it, it is 200 with its length; each method adds one trait.
#[derive(Debug, Clone)]
pub struct Page {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) ranges: Ranges,
    pub(super) cut: Option<usize>,
    pub(super) drip: Option<(usize, Duration)>,
    pub(super) delay: Duration,
    pub(super) length: Length,
    pub(super) login: Option<(String, String)>,
    pub(super) needs: Option<(String, String)>,
}

/// What becomes of `Range`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranges {
    /// It counts, under the condition of `If-Range`.
    Fair,
    /// It is not looked at.
    None,
    /// It counts whatever `If-Range` says.
    Blind,
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// `Content-Length`.
    Told,
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection.
    Close,
}

impl Page {
    /// 200 with these bytes.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            headers: Vec::new(),
            etag: None,
            last_modified: None,
            ranges: Ranges::Fair,
            cut: None,
            drip: None,
            delay: Duration::ZERO,
            length: Length::Told,
            login: None,
            needs: None,
        }
    }

    /// An error page, of a few words of HTML.
    pub fn error(status: u16) -> Self {
        let body = format!("<html><head><title>{status}</title></head><body>no</body></html>");
        Self::new(body).html().status(status)
    }

    /// A redirect: 302.
    pub fn redirect(to: &str) -> Self {
        Self::new("").status(302).header("Location", to)
    }

    /// 429, with `Retry-After` as it is given: seconds or a date.
    pub fn busy(retry_after: &str) -> Self {
        Self::error(429).header("Retry-After", retry_after)
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// A header field more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says that it is a web page.
    #[must_use]
    pub fn html(self) -> Self {
        self.header("Content-Type", "text/html; charset=utf-8")
    }

    /// Says that it is JSON.
    #[must_use]
    pub fn json(self) -> Self {
        self.header("Content-Type", "application/json")
    }

    /// An `ETag`, with its quotes; `If-None-Match` with it gives 304.
    #[must_use]
    pub fn etag(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self
    }

    /// A `Last-Modified`; `If-Modified-Since` with the same text gives 304.
    #[must_use]
    pub fn last_modified(mut self, date: &str) -> Self {
        self.last_modified = Some(date.to_owned());
        self
    }

    /// Always sends the whole, whatever `Range` says.
    #[must_use]
    pub fn no_ranges(mut self) -> Self {
        self.ranges = Ranges::None;
        self
    }

    /// Heeds `Range` and not `If-Range`: sends the rest of a file that changed meanwhile.
    #[must_use]
    pub fn blind_ranges(mut self) -> Self {
        self.ranges = Ranges::Blind;
        self
    }

    /// Ends the connection after so many bytes of the body that was announced.
    #[must_use]
    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }

    /// Sends `bytes` at a time, with a pause in between; a minute at most.
    #[must_use]
    pub fn drip(mut self, bytes: usize, pause: Duration) -> Self {
        self.drip = Some((bytes, pause));
        self
    }

    /// Says nothing for so long, then answers; a minute at most.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends the body in chunks, its length untold.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.length = Length::Chunked;
        self
    }

    /// Ends the body with the connection, its length untold.
    #[must_use]
    pub fn no_length(mut self) -> Self {
        self.length = Length::Close;
        self
    }

    /// Wants `Authorization: Basic` with this user and password, or answers 401.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Wants a header field, such as `X-Api-Key`, or answers 403.
    #[must_use]
    pub fn needs(mut self, name: &str, value: &str) -> Self {
        self.needs = Some((name.to_owned(), value.to_owned()));
        self
    }
}
