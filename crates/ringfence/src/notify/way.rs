//! The ways out: mail, webhook, command.

use super::command::CommandWay;
use super::letter::Letter;
use super::mail::MailWay;
use super::shown::line;
use super::webhook::WebhookWay;
use crate::config::Notify;

/// A way to tell people.
#[derive(Debug)]
pub(super) enum Way {
    Mail(MailWay),
    Webhook(WebhookWay),
    Command(CommandWay),
}

impl Way {
    /// Those that the configuration names.
    pub(super) fn all(config: &Notify, host: &str) -> Vec<Self> {
        let mail = config.mail.clone();
        let mail = mail.map(|mail| Self::Mail(MailWay::new(mail, host)));
        let webhook = config.webhook.clone();
        let webhook = webhook.map(|webhook| Self::Webhook(WebhookWay::new(webhook)));
        let command = config.command.clone();
        let command = command.map(|command| Self::Command(CommandWay::new(command)));
        [mail, webhook, command].into_iter().flatten().collect()
    }

    /// What people call it: by which server, URL or program. No secret is in it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Mail(way) => way.name(),
            Self::Webhook(way) => way.name(),
            Self::Command(way) => way.name(),
        }
    }

    /// Delivers a letter; ends within a minute.
    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), Undelivered> {
        match self {
            Self::Mail(way) => way.deliver(letter).await,
            Self::Webhook(way) => way.deliver(letter).await,
            Self::Command(way) => way.deliver(letter).await,
        }
    }
}

/// Why a letter was not delivered. The other end may have written the text: it is one line, and no terminal obeys it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Undelivered {
    why: String,
    /// Whether it may succeed a little later.
    pub(super) again: bool,
}

impl Undelivered {
    /// It may succeed a little later.
    pub(super) fn for_now(why: impl AsRef<str>) -> Self {
        Self {
            why: line(why.as_ref(), 512),
            again: true,
        }
    }

    /// It fails until somebody changes something.
    pub(super) fn for_good(why: impl AsRef<str>) -> Self {
        Self {
            again: false,
            ..Self::for_now(why)
        }
    }
}
