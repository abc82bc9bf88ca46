//! What the daemon answers to the command line.

use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast;

use super::state::Daemon;
use crate::config::Mode;
use crate::control::{Answer, Request};

/// The answers so far, and the stream of those to come.
pub type Answers = (Vec<Answer>, Option<broadcast::Receiver<Answer>>);

impl Daemon {
    /// Answers everything but a stop, which the loop sees to.
    pub fn answer(&mut self, request: &Request) -> Answers {
        let answer = match request {
            Request::Events { follow } => {
                let past = self.events.iter().map(|record| {
                    Answer::done(
                        record.line(),
                        serde_json::to_value(record).unwrap_or_default(),
                    )
                });
                return (past.collect(), follow.then(|| self.followers.subscribe()));
            }
            Request::Status => self.status(),
            Request::Reload {
                yes,
                enforce,
                confirm,
            } => {
                let mode = |enforce| if enforce { Mode::Enforce } else { Mode::Shadow };
                self.reload(*yes, enforce.map(mode), confirm.map(Duration::from_secs))
            }
            Request::Stop => Ok(Answer::done("the fence is taken down", json!({}))),
            Request::Confirm => self.confirm(),
            Request::List { list, change } => self.list(*list, change),
            Request::Ban { address, seconds } => self.ban(address, *seconds),
            Request::Unban { address } => self.unban(address),
            Request::Bans => self.show_bans(),
            Request::ExportBans { unproved } => self.export_bans(*unproved),
            Request::ExportCounts => self.export_counts(),
            Request::Trust { forget: None } => self.show_trust(),
            Request::Trust {
                forget: Some(address),
            } => self.forget_trust(address),
            Request::Why { what } => self.why(what),
            Request::Report { seconds } => self.report(*seconds),
            Request::Feed { what } => self.answer_feeds(what),
            Request::CountryUpdate { force } => self.country_asked(*force),
            Request::CountryRenewed => self.country_renewed(),
            Request::Country { code, allow } => self.country(code.as_deref(), *allow),
        };
        (
            vec![answer.unwrap_or_else(|error| Answer::failed(format!("{error:#}")))],
            None,
        )
    }
}
