//! What a block must look like that Asterisk wrote whole.

use std::net::{IpAddr, SocketAddr};

use super::{Kind, Message};

/// Security events (Asterisk's `security_events.c`).
const SECURITY: [&str; 15] = [
    "AuthMethodNotAllowed",
    "ChallengeResponseFailed",
    "ChallengeSent",
    "FailedACL",
    "InvalidAccountID",
    "InvalidPassword",
    "InvalidTransport",
    "LoadAverageLimit",
    "MemoryLimit",
    "RequestBadFormat",
    "RequestNotAllowed",
    "RequestNotSupported",
    "SessionLimit",
    "SuccessfulAuth",
    "UnexpectedAddress",
];

/// Events of calls: each describes a channel.
const CALL: [&str; 6] = [
    "BridgeEnter",
    "DialEnd",
    "Hangup",
    "NewConnectedLine",
    "Newchannel",
    "Newstate",
];

/// What Asterisk writes behind RemoteAddress, where it writes something.
const BEHIND: [&str; 14] = [
    "ACLName",
    "AttemptedTransport",
    "AuthMethod",
    "Challenge",
    "ExpectedAddress",
    "ExpectedResponse",
    "Module",
    "ReceivedChallenge",
    "ReceivedHash",
    "RequestParams",
    "RequestType",
    "Response",
    "SessionTV",
    "UsingPassword",
];

/// The end of a security event, in its order.
const END: [&str; 3] = ["SessionID", "LocalAddress", "RemoteAddress"];

/// Whether an event of this name is of use to anybody here.
pub(super) fn wanted(event: &str) -> bool {
    security(event)
        || call(event)
        || matches!(
            event,
            "FullyBooted" | "Shutdown" | "Reload" | "ContactStatus" | "PeerStatus" | "Registry"
        )
}

/// Whether it is a security event.
pub(super) fn security(event: &str) -> bool {
    SECURITY.contains(&event)
}

fn call(event: &str) -> bool {
    event == "DialBegin" || CALL.contains(&event)
}

/// Whether an event of the kinds that are wanted has all that Asterisk writes into it, and nothing that belongs to
/// another kind. What is not whole was cut by a line end in a name, or is forged.
pub(super) fn whole(event: &str, message: &Message) -> bool {
    let has = |keys: &[&str]| keys.iter().all(|key| message.get(key).is_some());
    let only = |keys: &[&str]| {
        has(keys) && {
            let ours = |key: &str| keys.contains(&key) || HEAD.contains(&key);
            message.fields().all(|(key, _)| ours(key))
        }
    };
    if security(event) {
        let behind = match event {
            "SuccessfulAuth" => "UsingPassword",
            "ChallengeSent" => "Challenge",
            "ChallengeResponseFailed" => "ExpectedResponse",
            _ => "RemoteAddress",
        };
        let last = [
            "RequestBadFormat",
            "LoadAverageLimit",
            "MemoryLimit",
            "SessionLimit",
        ];
        let account = last.contains(&event).then_some("AccountID");
        return tail(message, account).is_some()
            && message
                .fields()
                .rev()
                .take_while(|(key, _)| *key != "LocalAddress")
                .any(|(key, _)| key == behind);
    }
    if END.iter().any(|key| message.get(key).is_some()) {
        return false;
    }
    let once = |name: &str| message.fields().filter(|(key, _)| *key == name).count() == 1;
    match event {
        "Shutdown" => only(&["Shutdown", "Restart"]),
        "FullyBooted" => only(&["Status", "Uptime", "LastReload"]) || only(&["Status"]),
        "Reload" => only(&["Module", "Status"]),
        "ContactStatus" => once("ContactStatus") && once("AOR") && once("URI"),
        "PeerStatus" => once("PeerStatus") && once("Peer"),
        "Registry" => once("Status") && once("Domain"),
        "DialBegin" | "DialEnd" => once("DestUniqueid"),
        event if call(event) => once("Uniqueid"),
        _ => true,
    }
}

/// What stands above the fields of every event, as manager.conf would have it.
const HEAD: [&str; 8] = [
    "Event",
    "Privilege",
    "Timestamp",
    "SequenceNumber",
    "File",
    "Line",
    "Func",
    "SystemName",
];

/// The sender of the security event that a block is the end of, if it is one.
///
/// A caller's text stands before SessionID, so what is found here was written by Asterisk.
pub(super) fn source(message: &Message) -> Option<SocketAddr> {
    tail(message, None).and_then(address)
}

/// The value of RemoteAddress of a block that ends as a security event does; `more` may also stand behind it.
fn tail<'m>(message: &'m Message, more: Option<&str>) -> Option<&'m str> {
    let mut fields = message
        .fields()
        .rev()
        .skip_while(|(key, _)| BEHIND.contains(key) || more == Some(key));
    let mut next = |name: &str| {
        let (key, value) = fields.next()?;
        (key == name).then_some(value)
    };
    let [session, local, remote] = END;
    let source = next(remote)?;
    next(local)?;
    next(session)?;
    Some(source)
}

/// Whether the block is what is left of one that was cut in two, or a forged one that swallowed what was left.
pub(super) fn rest(message: &Message) -> bool {
    match message.kind() {
        Kind::Rest => true,
        Kind::Event(event) => tail(message, None).is_some() && !whole(event, message),
        Kind::Response(_) => tail(message, None).is_some(),
    }
}

/// An address as security events have it: `IPV4/UDP/198.51.100.11/5066`.
fn address(text: &str) -> Option<SocketAddr> {
    let mut parts = text.split('/').skip(2);
    let ip: IpAddr = parts.next()?.parse().ok()?;
    let port = parts.next()?.parse().ok()?;
    parts.next().is_none().then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Message {
        Message::from_lines(text.lines())
    }

    #[test]
    fn the_sender_stands_at_the_end_and_nowhere_else() {
        let rest = "junk\nRemoteAddress: IPV4/UDP/192.0.2.1/1\nSessionID: x\nLocalAddress: y\n\
                    RemoteAddress: IPV6/TLS/2001:db8::1/5061\nChallenge: 1";
        let source = "[2001:db8::1]:5061".parse().ok();
        assert_eq!(super::source(&block(rest)), source);
        for nobody in [
            "RemoteAddress: IPV4/UDP/192.0.2.1/1",
            "SessionID: x\nLocalAddress: y\nRemoteAddress: IPV4/UDP/192.0.2.1/1\nUniqueid: 1",
            "SessionID: x\nLocalAddress: y\njunk\nRemoteAddress: IPV4/UDP/192.0.2.1/1",
            "SessionID: x\nLocalAddress: y\nRemoteAddress: nobody",
        ] {
            assert_eq!(super::source(&block(nobody)), None, "{nobody}");
        }
    }

    #[test]
    fn an_event_that_ends_as_another_is_forged() {
        let end = "SessionID: x\nLocalAddress: y\nRemoteAddress: IPV4/UDP/192.0.2.1/1";
        for event in ["Shutdown", "FullyBooted", "Newchannel"] {
            let forged = block(&format!(
                "Event: {event}\nPrivilege: system,all\nShutdown: Cleanly\nRestart: False\n\
                 Status: Fully Booted\nUniqueid: 1.1\n{end}"
            ));
            assert!(!whole(event, &forged) && rest(&forged), "{event}");
        }
        let auth = block(&format!(
            "Event: SuccessfulAuth\nAccountID: 1\nRemoteAddress: x\nUsingPassword: 1\n{end}"
        ));
        assert!(!whole("SuccessfulAuth", &auth), "the end is another's");
        let auth = block(&format!(
            "Event: SuccessfulAuth\nAccountID: 1\n{end}\nUsingPassword: 1"
        ));
        assert!(whole("SuccessfulAuth", &auth));
    }
}
