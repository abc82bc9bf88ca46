//! The recordings of a real Asterisk as something that can be asked.

use super::Ask;
use crate::asterisk::ami::{AskError, Framed, Framing, Kind, Message};

/// Answers with recordings, and with what a test adds or changes.
#[derive(Default)]
pub(crate) struct Recorded {
    /// Action, its first parameter's value, and the bytes of the answer.
    pub(crate) answers: Vec<(&'static str, &'static str, Vec<u8>)>,
}

macro_rules! recording {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/asterisk/", $name, ".rx")).to_vec()
    };
}

impl Recorded {
    /// Asterisk 22 with PJSIP and IAX2.
    pub(crate) fn new_pbx() -> Self {
        let answers = vec![
            (
                "PJSIPShowEndpoints",
                "",
                recording!("ami/pjsip-show-endpoints"),
            ),
            (
                "PJSIPShowContacts",
                "",
                recording!("ami/pjsip-show-contacts"),
            ),
            (
                "PJSIPShowRegistrationsInbound",
                "",
                recording!("ami/pjsip-show-registrations-inbound"),
            ),
            (
                "PJSIPShowRegistrationsOutbound",
                "",
                recording!("ami/pjsip-show-registrations-outbound"),
            ),
            (
                "PJSIPShowEndpoint",
                "1001",
                recording!("ami/pjsip-show-endpoint-1001"),
            ),
            ("SIPpeers", "", recording!("ami/sippeers-unavailable-on-22")),
            ("IAXpeers", "", recording!("ami/iaxpeers")),
            ("IAXregistry", "", recording!("ami/iaxregistry")),
        ];
        Self { answers }
    }

    /// Asterisk 20 with chan_sip and IAX2.
    pub(crate) fn old_pbx() -> Self {
        let unavailable = recording!("ami-chan_sip-20/pjsip-show-contacts-unavailable");
        let answers = vec![
            ("PJSIPShowEndpoints", "", unavailable),
            ("SIPpeers", "", recording!("ami-chan_sip-20/sippeers")),
            (
                "SIPshowregistry",
                "",
                recording!("ami-chan_sip-20/sipshowregistry"),
            ),
            ("IAXpeers", "", recording!("ami-chan_sip-20/iaxpeers")),
        ];
        Self { answers }
    }

    /// Answers an action with these lines.
    pub(crate) fn with(mut self, action: &'static str, of: &'static str, lines: &str) -> Self {
        let bytes = lines.replace('\n', "\r\n").into_bytes();
        self.answers
            .retain(|(known, value, _)| (*known, *value) != (action, of));
        self.answers.push((action, of, bytes));
        self
    }
}

impl Ask for Recorded {
    async fn ask(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Message>, AskError> {
        let of = parameters.first().map_or("", |(_, value)| value);
        let mut answers = self.answers.iter();
        let Some((_, _, bytes)) =
            answers.find(|(known, value, _)| (*known, *value) == (action, of))
        else {
            return Err(AskError::Refused {
                action: action.to_owned(),
                message: "Unable to retrieve endpoint".to_owned(),
            });
        };
        let mut messages = Vec::new();
        Framing::default().read(bytes, |framed| {
            if let Framed::Message(message) = framed {
                messages.push(message);
            }
        });
        // The login and the farewell are not of the answer.
        messages.retain(|message| {
            let text = message.get("Message").unwrap_or_default();
            !text.starts_with("Authentication") && !text.starts_with("Thanks")
        });
        match messages.first() {
            Some(first) if first.kind() == Kind::Response("Error") => {
                let action = action.to_owned();
                let message = first.get("Message").unwrap_or_default().to_owned();
                if message == "Permission denied" {
                    return Err(AskError::NotAllowed { action });
                }
                assert!(message.starts_with("Invalid/unknown command"), "{message}");
                Err(AskError::Unavailable { action })
            }
            _ => Ok(messages),
        }
    }
}

/// Asks, without a runtime: recordings never wait.
pub(crate) fn asked(ask: &Recorded) -> super::Inventory {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(super::gather(ask)).unwrap()
}
