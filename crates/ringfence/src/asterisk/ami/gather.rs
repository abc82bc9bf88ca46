//! Gathers the answer to one action.

use super::{AskError, Kind, Message};

/// The most that a list may have.
const MOST_ENTRIES: usize = 100_000;
/// The most bytes of a list.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The answer to one action, as far as it came.
#[derive(Debug)]
pub(super) struct Gathering {
    action: String,
    id: String,
    /// The response, then the entries of its list.
    answer: Vec<Message>,
    bytes: u64,
    list: bool,
    too_long: bool,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gathered {
    /// It does not belong to the answer.
    Other(Message),
    /// It does, and there is more to come.
    More,
    /// It was the last.
    Done(Result<Vec<Message>, AskError>),
}

impl Gathering {
    /// For the action of this name, that was sent with this ActionID.
    pub(super) fn new(action: &str, id: &str) -> Self {
        Self {
            action: action.to_owned(),
            id: id.to_owned(),
            answer: Vec::new(),
            bytes: 0,
            list: false,
            too_long: false,
        }
    }

    /// Takes the next message of the stream.
    pub(super) fn take(&mut self, message: Message) -> Gathered {
        let ours = message.get("ActionID") == Some(&self.id);
        match message.kind() {
            Kind::Response(result) if ours && self.answer.is_empty() => {
                self.list = message.get("EventList").is_some_and(|list| list == "start");
                if result == "Error" {
                    return Gathered::Done(self.refused(&message));
                }
                self.keep(message);
                if self.list {
                    Gathered::More
                } else {
                    self.done()
                }
            }
            Kind::Event(_) if ours && self.list && last(&message) => self.done(),
            // An entry of a list need not repeat the ActionID, but only what was not asked for has a Privilege.
            Kind::Event(_) if self.list && (ours || entry(&message)) => {
                self.keep(message);
                Gathered::More
            }
            _ => Gathered::Other(message),
        }
    }

    fn keep(&mut self, message: Message) {
        self.bytes = self.bytes.saturating_add(message.size());
        if self.answer.len() > MOST_ENTRIES || self.bytes > MOST_BYTES {
            self.too_long = true;
            // Up to its end the list is still read, but not kept.
            self.answer.truncate(1);
        } else if !self.too_long {
            self.answer.push(message);
        }
    }

    fn done(&mut self) -> Gathered {
        if self.too_long {
            let action = self.action.clone();
            return Gathered::Done(Err(AskError::TooLong { action }));
        }
        Gathered::Done(Ok(std::mem::take(&mut self.answer)))
    }

    /// What an error means, in Asterisk's words (`manager.c`, `cli.c`).
    fn refused(&self, response: &Message) -> Result<Vec<Message>, AskError> {
        let action = self.action.clone();
        let message = response.get("Message").unwrap_or_default().to_owned();
        let output = response.get("Output").unwrap_or_default();
        if message == "Permission denied" {
            return Err(AskError::NotAllowed { action });
        }
        let unknown =
            message.starts_with("Invalid/unknown command") || output.starts_with("No such command");
        if unknown {
            return Err(AskError::Unavailable { action });
        }
        // A list without entries is an error to some modules.
        let none = message.trim_end().to_ascii_lowercase();
        if none.starts_with("no ") && none.ends_with(" found") {
            return Ok(vec![response.clone()]);
        }
        Err(AskError::Refused { action, message })
    }
}

fn last(message: &Message) -> bool {
    matches!(
        message.get("EventList"),
        Some("Complete" | "complete" | "Cancelled")
    ) || message
        .event()
        .is_some_and(|event| event.ends_with("Complete"))
}

fn entry(message: &Message) -> bool {
    message.get("ActionID").is_none() && message.get("Privilege").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Message {
        Message::from_lines(text.lines())
    }

    fn answer(id: &str, blocks: &[&str]) -> (Vec<Message>, Gathered) {
        let (mut gathering, mut others) = (Gathering::new("Test", id), Vec::new());
        for text in blocks {
            match gathering.take(block(text)) {
                Gathered::Other(message) => others.push(message),
                Gathered::More => {}
                done @ Gathered::Done(_) => return (others, done),
            }
        }
        (others, Gathered::More)
    }

    #[test]
    fn a_list_ends_with_its_last_event_and_takes_no_event_that_was_not_asked_for() {
        let event = "Event: PeerStatus\nPrivilege: system,all\nPeer: IAX2/1";
        let (others, done) = answer(
            "7",
            &[
                event,
                "Response: Success\nActionID: 6",
                "Response: Success\nActionID: 7\nEventList: start",
                "Event: PeerEntry\nObjectName: 1",
                event,
                "Event: PeerEntry\nActionID: 7\nObjectName: 2",
                "Event: PeerEntry\nActionID: 8\nObjectName: 3",
                "Event: PeerlistComplete\nActionID: 7\nEventList: Complete",
            ],
        );
        assert_eq!(others.len(), 4, "{others:?}");
        let Gathered::Done(Ok(answer)) = done else {
            panic!("{done:?}");
        };
        let names: Vec<_> = answer.iter().map(|m| m.get("ObjectName")).collect();
        assert_eq!(names, [None, Some("1"), Some("2")]);
    }

    #[test]
    fn asterisks_refusals_are_told_apart() {
        let refused = |text: &str| {
            let (_, done) = answer("7", &[&format!("Response: Error\nActionID: 7\n{text}")]);
            match done {
                Gathered::Done(result) => result,
                other => panic!("{other:?}"),
            }
        };
        let action = || "Test".to_owned();
        assert_eq!(
            refused("Message: Permission denied"),
            Err(AskError::NotAllowed { action: action() })
        );
        for unknown in [
            "Message: Invalid/unknown command: SIPpeers. Use Action: ListCommands to show available commands.",
            "Message: Command output follows\nOutput: No such command 'sip show peers' (type 'core show help sip')",
        ] {
            let action = action();
            assert_eq!(refused(unknown), Err(AskError::Unavailable { action }));
        }
        assert_eq!(
            refused("Message: No Contacts found").map(|a| a.len()),
            Ok(1)
        );
        assert!(matches!(
            refused("Message: Database entry not found"),
            Err(AskError::Refused { .. })
        ));
    }

    #[test]
    fn a_list_is_bounded_and_read_to_its_end() {
        let mut gathering = Gathering::new("Test", "7");
        gathering.take(block("Response: Success\nActionID: 7\nEventList: start"));
        for _ in 0..=MOST_ENTRIES {
            assert_eq!(
                gathering.take(block("Event: A\nActionID: 7")),
                Gathered::More
            );
        }
        assert!(gathering.answer.len() <= 2);
        let last = block("Event: AComplete\nActionID: 7");
        assert!(matches!(
            gathering.take(last),
            Gathered::Done(Err(AskError::TooLong { .. }))
        ));
    }
}
