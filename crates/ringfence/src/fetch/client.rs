//! One request, with its redirects.

use std::io;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};
use url::Url;

use super::ask::{Ask, shown};
use super::error::FetchError;
use super::later::later;
use super::tls::tls;

/// A chain of redirects is followed so far.
const REDIRECTS: usize = 5;

/// How much of an error page is read.
const PAGE: u64 = 2048;

/// Asks, follows redirects, and answers with 200, 206, 304 or 416. Fields in `more` go to every host.
pub(super) fn send(
    ask: &Ask,
    more: &[(&str, &str)],
    until: Instant,
) -> Result<Response<Body>, FetchError> {
    let wrong = || FetchError::Url {
        url: ask.shown.clone(),
    };
    let first = Url::parse(ask.url.expose()).map_err(|_| wrong())?;
    if !matches!(first.scheme(), "http" | "https") || !first.has_host() {
        return Err(wrong());
    }
    let mut url = first.clone();
    for _ in 0..=REDIRECTS {
        let left = until.saturating_duration_since(Instant::now());
        let agent = agent(ask, url.scheme() == "https", left)?;
        // Those of the user are for the host that the user named.
        let trusted = url.origin() == first.origin();
        let answer =
            call(&agent, ask, &url, more, trusted).map_err(|error| unreached(ask, &url, &error))?;
        match answer.status() {
            status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
                url = next(ask, &url, &answer)?;
            }
            _ => return judged(ask, answer),
        }
    }
    Err(FetchError::Redirect {
        url: ask.shown.clone(),
        why: format!("more than {REDIRECTS} times; write the URL that it ends at"),
    })
}

fn agent(ask: &Ask, https: bool, left: Duration) -> Result<Agent, FetchError> {
    let tls = tls(https, ask.ca.as_deref()).map_err(|why| FetchError::Unreached {
        url: ask.shown.clone(),
        why: format!("the authorities that it must be signed by: {why}"),
    })?;
    let limits = &ask.limits;
    Ok(Agent::config_builder()
        .timeout_global(Some(left.max(Duration::from_millis(1))))
        .timeout_resolve(Some(limits.connect))
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.silence))
        .timeout_per_read(Some(limits.silence))
        .timeout_per_write(Some(limits.silence))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent())
}

fn call(
    agent: &Agent,
    ask: &Ask,
    url: &Url,
    more: &[(&str, &str)],
    trusted: bool,
) -> Result<Response<Body>, ureq::Error> {
    // A hash is of the bytes as they are.
    let mut request = agent
        .get(url.as_str())
        .header(header::ACCEPT_ENCODING, "identity");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    if trusted {
        for (name, value) in &ask.headers {
            request = request.header(name, value.expose());
        }
        if let Some((user, password)) = &ask.login {
            let both = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            request = request.header(header::AUTHORIZATION, format!("Basic {both}"));
        }
    }
    request.call()
}

/// Where a redirect points to.
fn next(ask: &Ask, url: &Url, answer: &Response<Body>) -> Result<Url, FetchError> {
    let wrong = |why: String| FetchError::Redirect {
        url: ask.shown.clone(),
        why,
    };
    let location = answer.headers().get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let Some(location) = location else {
        return Err(wrong("it does not say where to".to_owned()));
    };
    let next = url
        .join(location)
        .map_err(|_| wrong("which is no URL".to_owned()))?;
    let to = shown(&ask.hide(next.as_str()));
    match (url.scheme(), next.scheme()) {
        ("https", "http") => Err(wrong(format!(
            "{to}, without TLS, where anybody may change it"
        ))),
        (_, "http" | "https") => Ok(next),
        _ => Err(wrong(format!("{to}, which is no http or https URL"))),
    }
}

/// Lets pass what has an answer in it.
fn judged(ask: &Ask, mut answer: Response<Body>) -> Result<Response<Body>, FetchError> {
    let status = answer.status().as_u16();
    let url = ask.shown.clone();
    match status {
        200 | 206 | 304 | 416 => return Ok(answer),
        429 | 503 => {
            let after = later(answer.headers());
            return Err(FetchError::Later { url, status, after });
        }
        _ => {}
    }
    let remedy = match status {
        401 | 403 => "look at the key, the account and its rights",
        404 | 410 => "look at the URL: there is nothing (any more)",
        400..500 => "look at the URL and at what the provider asks for",
        _ => "it is asked again later",
    };
    let mut page = answer.body_mut().with_config().limit(PAGE).reader();
    let mut begin = Vec::new();
    // What cannot be read is not shown.
    let _ = io::Read::read_to_end(&mut page, &mut begin);
    let said = ask.said(&begin);
    Err(FetchError::Status {
        url,
        status,
        said,
        remedy,
    })
}

/// Why nothing came.
pub(super) fn unreached(ask: &Ask, url: &Url, error: &ureq::Error) -> FetchError {
    let why = match error {
        // These would quote the URL.
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => {
            return FetchError::Url {
                url: ask.shown.clone(),
            };
        }
        // A header of the configuration, which may be a secret.
        ureq::Error::Http(_) => "a header field or the URL has bytes that none may have".to_owned(),
        ureq::Error::HostNotFound => unresolved(url),
        // So the resolver of the system has it told.
        ureq::Error::Io(error) if error.to_string().starts_with("failed to lookup") => {
            unresolved(url)
        }
        ureq::Error::Io(error) => {
            format!(
                "{error}; see whether the server runs, and whether a proxy or firewall is in between"
            )
        }
        ureq::Error::Timeout(what) => format!("no answer in time ({what}); it may answer later"),
        error => error.to_string(),
    };
    // A redirect may lead to a host of any name.
    FetchError::Unreached {
        url: ask.shown.clone(),
        why: ask.hide(&why),
    }
}

fn unresolved(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("no address of {host} is found; look at the name and at DNS")
}
