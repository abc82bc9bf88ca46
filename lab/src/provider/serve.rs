//! One request and its answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};

use super::page::{Length, Page, Ranges};
use super::{Asked, Shared};

/// No pause is longer, and no answer takes longer.
const MINUTE: Duration = Duration::from_secs(60);

/// The most bytes of a request's head, and of its body.
const REQUEST: u64 = 1 << 20;

pub(super) fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(MINUTE))?;
    let Some(mut asked) = read(&stream)? else {
        return Ok(());
    };
    let page = shared
        .page(&asked.target)
        .unwrap_or_else(|| Page::error(404));
    let answer = Answer::to(&asked, page);
    asked.status = answer.page.status;
    let head_only = asked.method == "HEAD";
    shared.remember(asked);
    answer.write(&stream, head_only, shared)?;
    stream.shutdown(Shutdown::Both)
}

fn read(stream: &TcpStream) -> io::Result<Option<Asked>> {
    let mut reader = BufReader::new(stream.take(2 * REQUEST));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let mut asked = Asked {
        method,
        target,
        headers,
        body: Vec::new(),
        status: 0,
    };
    let length = asked.header("content-length").and_then(|n| n.parse().ok());
    let length: u64 = length.unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length.min(REQUEST)).read_to_end(&mut body)?;
    asked.body = body;
    Ok(Some(asked))
}

/// A page as one request gets it: its status and body, and what is said of them.
struct Answer {
    page: Page,
    range: Option<String>,
}

impl Answer {
    fn to(asked: &Asked, mut page: Page) -> Self {
        let plain = |page| Self { page, range: None };
        if let Some((user, password)) = &page.login {
            let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
            if asked.header("authorization") != Some(&format!("Basic {both}")) {
                let realm = "Basic realm=\"provider\"";
                return plain(Page::error(401).header("WWW-Authenticate", realm));
            }
        }
        if let Some((name, value)) = &page.needs
            && asked.header(name) != Some(value)
        {
            return plain(Page::error(403));
        }
        if page.status != 200 {
            return plain(page);
        }
        if unchanged(asked, &page) {
            page.body.clear();
            page.status = 304;
            return plain(page);
        }
        let Some(from) = begin(asked, &page) else {
            return plain(page);
        };
        let all = page.body.len();
        if from >= all {
            page.body.clear();
            page.status = 416;
            return Self {
                page,
                range: Some(format!("bytes */{all}")),
            };
        }
        page.body.drain(..from);
        page.status = 206;
        Self {
            page,
            range: Some(format!("bytes {from}-{}/{all}", all - 1)),
        }
    }

    fn write(self, mut stream: &TcpStream, head_only: bool, shared: &Shared) -> io::Result<()> {
        let Self { page, range } = self;
        let until = Instant::now() + MINUTE;
        pause(page.delay, shared, until);
        let mut head = format!("HTTP/1.1 {} {}\r\n", page.status, reason(page.status));
        let mut field = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        for (name, value) in &page.headers {
            field(name, value);
        }
        for (name, value) in [
            ("ETag", &page.etag),
            ("Last-Modified", &page.last_modified),
            ("Content-Range", &range),
        ] {
            if let Some(value) = value {
                field(name, value);
            }
        }
        if page.ranges != Ranges::None && page.status == 200 {
            field("Accept-Ranges", "bytes");
        }
        match page.length {
            _ if page.status == 304 => {}
            Length::Told => field("Content-Length", &page.body.len().to_string()),
            Length::Chunked => field("Transfer-Encoding", "chunked"),
            Length::Close => {}
        }
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        if head_only || page.status == 304 {
            return Ok(());
        }
        let sent = page.cut.unwrap_or(usize::MAX).min(page.body.len());
        let body = page.body.get(..sent).unwrap_or_default();
        let (step, rest) = page.drip.unwrap_or((usize::MAX, Duration::ZERO));
        for piece in body.chunks(step.max(1)) {
            match page.length {
                Length::Chunked => {
                    stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
                    stream.write_all(piece)?;
                    stream.write_all(b"\r\n")?;
                }
                _ => stream.write_all(piece)?,
            }
            if !pause(rest, shared, until) {
                return Ok(());
            }
        }
        match page.length {
            Length::Chunked if page.cut.is_none() => stream.write_all(b"0\r\n\r\n"),
            _ => Ok(()),
        }
    }
}

/// Whether what the client has is this page (RFC 9110, section 13.2.2).
fn unchanged(asked: &Asked, page: &Page) -> bool {
    match asked.header("if-none-match") {
        Some(theirs) => page.etag.as_deref().is_some_and(|own| {
            let mut tags = theirs.split(',').map(str::trim);
            tags.any(|tag| tag == "*" || tag == own)
        }),
        None => {
            let since = asked.header("if-modified-since");
            since.is_some() && since == page.last_modified.as_deref()
        }
    }
}

/// Where the client wants the body to begin: of `Range: bytes=N-` the number, if the condition holds.
fn begin(asked: &Asked, page: &Page) -> Option<usize> {
    let range = asked.header("range")?.strip_prefix("bytes=")?;
    let from = range.strip_suffix('-')?.parse().ok()?;
    let holds = match page.ranges {
        Ranges::None => false,
        Ranges::Blind => true,
        Ranges::Fair => match asked.header("if-range") {
            None => true,
            theirs => theirs == page.etag.as_deref() || theirs == page.last_modified.as_deref(),
        },
    };
    holds.then_some(from)
}

/// Waits. Whether there is time left, and somebody to wait for.
fn pause(time: Duration, shared: &Shared, until: Instant) -> bool {
    let end = (Instant::now() + time.min(MINUTE)).min(until);
    loop {
        let now = Instant::now();
        if shared.over.load(Ordering::SeqCst) || now >= until {
            return false;
        }
        if now >= end {
            return true;
        }
        std::thread::sleep((end - now).min(Duration::from_millis(20)));
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 | 302 | 303 | 307 | 308 => "Moved",
        304 => "Not Modified",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
