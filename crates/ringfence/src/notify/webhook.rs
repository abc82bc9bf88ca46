//! Notices by an HTTP request.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::tls::TlsConfig;

use super::letter::Letter;
use super::way::Undelivered;
use crate::config::NotifyWebhook;

/// How long a request may take.
const WHOLE: Duration = Duration::from_secs(15);

/// One URL.
#[derive(Debug)]
pub(super) struct WebhookWay {
    config: NotifyWebhook,
}

impl WebhookWay {
    pub(super) fn new(config: NotifyWebhook) -> Self {
        Self { config }
    }

    pub(super) fn name(&self) -> String {
        format!("webhook {}", self.config.url)
    }

    /// Posts a letter; an answer of 2xx takes it.
    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), Undelivered> {
        let (config, body) = (self.config.clone(), letter.json.clone());
        let posted = tokio::task::spawn_blocking(move || post(&config, &body)).await;
        posted.unwrap_or_else(|error| Err(Undelivered::for_now(error.to_string())))
    }
}

fn post(config: &NotifyWebhook, body: &str) -> Result<(), Undelivered> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(WHOLE))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls(config)?)
        .build()
        .new_agent();
    let mut request = agent
        .post(config.url.expose())
        .header("Content-Type", "application/json");
    for line in &config.headers {
        request = request.header(&line.name, line.value.expose());
    }
    if let Some(secret) = &config.secret {
        let unread = |error| Undelivered::for_good(format!("the secret: {error}"));
        let secret = secret.read().map_err(unread)?;
        request = request.header("X-Ringfence-Signature", signature(secret.expose(), body));
    }
    let url = &config.url;
    let answer = request.send(body).map_err(|error| match error {
        // This one would quote the URL.
        ureq::Error::BadUri(_) => Undelivered::for_good(format!("{url}: this is no URL")),
        error => Undelivered::for_now(format!("{url}: {error}")),
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let why = format!("{url} answered {status}");
    Err(match status.as_u16() {
        // Timeout, too early, too many requests.
        408 | 425 | 429 | 500.. => Undelivered::for_now(why),
        300..400 => Undelivered::for_good(format!("{why}; write the URL that it points to")),
        _ => Undelivered::for_good(why),
    })
}

/// The authorities of the system, and those of the configuration.
fn tls(config: &NotifyWebhook) -> Result<TlsConfig, Undelivered> {
    let https = config.url.expose().starts_with("https:");
    let tls = crate::fetch::tls(https, config.ca.as_deref());
    tls.map_err(|why| Undelivered::for_good(format!("`ca` of [notify.webhook]: {why}")))
}

/// `sha256=` and the HMAC of the body in hexadecimal (RFC 2104).
fn signature(secret: &str, body: &str) -> String {
    // Keys of any length will do; the error has no case.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body.as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        assert_eq!(
            signature("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
