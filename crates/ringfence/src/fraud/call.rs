//! What a block of the manager interface says of a call.

use crate::asterisk::ami::{Kind, Message};

/// Technologies whose channels belong to endpoints.
const TECHNOLOGIES: [&str; 4] = ["PJSIP", "SIP", "IAX2", "DAHDI"];
/// Bytes of a name or number that are kept.
const NAME: usize = 128;

/// What a block means to the guard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// An endpoint begins a call.
    Begins(Call),
    /// A channel is no more.
    Ends(Channel),
    /// A channel is there.
    Is(Channel),
    /// An event that was cut off, or the rest of one: what follows in the same moment may be forged.
    Cut,
    /// Nothing.
    Nothing,
}

/// A channel of Asterisk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Channel {
    /// Such as `PJSIP/1001-00000001`.
    pub name: String,
    /// Its unique id.
    pub unique: String,
}

/// A call that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub endpoint: String,
    pub channel: Channel,
    pub context: String,
    pub destination: String,
    /// Its lines say something twice: its caller wrote some of them.
    pub forged: bool,
}

impl Block {
    pub(super) fn of(message: &Message) -> Self {
        let event = match message.kind() {
            Kind::Event(name) => name,
            Kind::Rest => return Self::Cut,
            Kind::Response(_) => return Self::Nothing,
        };
        if is_cut(message) {
            return Self::Cut;
        }
        // The channel's name stands before what a caller can write into, its unique id behind it.
        let (Some(channel), Some(unique)) = (message.some("Channel"), message.last("Uniqueid"))
        else {
            return Self::Nothing;
        };
        let channel = Channel {
            name: kept(channel),
            unique: kept(unique),
        };
        match event {
            "Newchannel" => call(message, channel).map_or(Self::Nothing, Self::Begins),
            "Hangup" => Self::Ends(channel),
            _ => Self::Is(channel),
        }
    }
}

/// Whether the block ends before its event does. What a caller can write into is followed, in events of channels by the
/// linked id, in those of security by the address or, where the account is last, by nothing.
fn is_cut(message: &Message) -> bool {
    let ending = |end: &str| {
        let ends = |key: &str| {
            key.len() >= end.len()
                && key
                    .get(key.len() - end.len()..)
                    .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        message.fields().filter(|(key, _)| ends(key)).count()
    };
    let security = message.get("AccountID").is_some() && message.get("RemoteAddress").is_none();
    security || ending("CallerIDNum") > ending("Linkedid")
}

fn call(message: &Message, channel: Channel) -> Option<Call> {
    let (technology, rest) = channel.name.split_once('/')?;
    if !TECHNOLOGIES.contains(&technology) {
        return None;
    }
    let (peer, _) = rest.rsplit_once('-')?;
    let twice = |key: &str| message.get(key) != message.last(key);
    let keys = [
        "Channel",
        "CallerIDNum",
        "Context",
        "Exten",
        "Uniqueid",
        "Linkedid",
    ];
    let forged = keys.into_iter().any(twice);
    // A channel that is called is linked to the one that calls it.
    if !forged && message.last("Linkedid") != message.last("Uniqueid") {
        return None;
    }
    let destination = message.last("Exten").filter(|exten| !exten.is_empty())?;
    if peer.is_empty() || destination == "s" {
        return None;
    }
    Some(Call {
        endpoint: format!("{technology}/{peer}"),
        channel,
        context: kept(message.last("Context").unwrap_or_default()),
        destination: kept(destination),
        forged,
    })
}

/// A text, cut where it is long.
pub(super) fn kept(text: &str) -> String {
    let mut end = text.len().min(NAME);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asterisk::ami::{Framed, Framing};

    fn newchannel(channel: &str, caller: &str, exten: &str) -> Vec<String> {
        let text = format!(
            "Event: Newchannel\nPrivilege: call,all\nChannel: {channel}\nChannelState: 4\n\
             CallerIDNum: {caller}\nCallerIDName: <unknown>\nConnectedLineNum: <unknown>\n\
             Context: from-phones\nExten: {exten}\nPriority: 1\nUniqueid: 1.0\nLinkedid: 1.0"
        );
        text.lines().map(str::to_owned).collect()
    }

    fn block(lines: &[String]) -> Block {
        Block::of(&Message::from_lines(lines.iter().map(String::as_str)))
    }

    #[test]
    fn only_channels_of_endpoints_that_begin_a_call_count() {
        let begins = |channel: &str, exten: &str| match block(&newchannel(channel, "1", exten)) {
            Block::Begins(call) => Some(call.endpoint),
            Block::Nothing => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            begins("PJSIP/1001-0000000a", "100").as_deref(),
            Some("PJSIP/1001")
        );
        assert_eq!(
            begins("SIP/head-office-0001", "1").as_deref(),
            Some("SIP/head-office")
        );
        assert_eq!(begins("IAX2/peer-77", "1").as_deref(), Some("IAX2/peer"));
        for (channel, exten) in [
            ("Local/100@x-0001;1", "100"),
            ("PJSIP/1001-1", "s"),
            ("PJSIP/1001-1", ""),
            ("PJSIP/1001", "100"),
            ("PJSIP/-1", "100"),
            ("nothing", "100"),
        ] {
            assert_eq!(begins(channel, exten), None, "{channel} {exten}");
        }
        let mut called = newchannel("PJSIP/1002-1", "1", "100");
        *called.last_mut().unwrap() = "Linkedid: 0.9".into();
        assert_eq!(block(&called), Block::Nothing);
    }

    #[test]
    fn a_block_that_was_cut_is_seen() {
        let whole = newchannel("PJSIP/1001-1", "1", "100");
        for end in 5..whole.len() {
            assert_eq!(block(&whole[..end]), Block::Cut, "{end}");
        }
        assert_eq!(block(&whole[9..]), Block::Cut);
        let security = ["Event: InvalidAccountID".to_owned(), "AccountID: x".into()];
        assert_eq!(block(&security), Block::Cut);
    }

    #[test]
    fn lines_within_a_block_are_seen() {
        let forged = newchannel(
            "PJSIP/1001-1",
            "1\nContext: from-trunk\nExten: 112",
            "0044123",
        );
        let Block::Begins(call) = block(&forged) else {
            panic!("{forged:?}");
        };
        assert!(call.forged);
        assert_eq!(
            (call.destination.as_str(), call.endpoint.as_str()),
            ("0044123", "PJSIP/1001")
        );
    }

    #[test]
    fn nothing_that_was_recorded_looks_cut() {
        let mut framing = Framing::default();
        let recording = include_bytes!("../../tests/fixtures/asterisk/events/13-call-agi-allow.rx");
        let mut calls = 0;
        framing.read(recording, |framed| {
            if let Framed::Message(message) = framed {
                let block = Block::of(&message);
                assert_ne!(block, Block::Cut, "{message:?}");
                calls += usize::from(matches!(block, Block::Begins(_)));
            }
        });
        assert_eq!(calls, 1);
    }
}
