//! Who is admitted, class by class: the file's words in the judge's numbers.

use ringfence_core::class::{CLASSES, Class};
use ringfence_core::policy::{Admission as Admitted, ServiceKind};

use crate::config::{Admission, Kind, MessageClass, Service};

/// The file's class for one of the judge's; `None` for what the file does not name.
pub(super) fn class(class: Class) -> Option<MessageClass> {
    Some(match class {
        Class::Register => MessageClass::Register,
        Class::Invite => MessageClass::Invite,
        Class::Options => MessageClass::Options,
        Class::Subscribe => MessageClass::Subscribe,
        Class::Publish => MessageClass::Publish,
        Class::Message => MessageClass::Message,
        Class::InDialogue => MessageClass::InDialogue,
        Class::Other => MessageClass::Other,
        Class::Response => MessageClass::Responses,
        Class::NotSip => MessageClass::NotSip,
        Class::NewTcp => MessageClass::NewTcp,
        Class::KeepAlive => return None,
    })
}

/// Who is admitted for each class. What belongs to an exchange that some method began, or does not
/// tell yet what it brings, is admitted where any method is.
pub(super) fn admissions(service: &Service) -> [u8; CLASSES] {
    let widest = service.from.of(MessageClass::NewTcp);
    let mut admissions = [number(widest); CLASSES];
    for this in Class::ALL {
        let method = match this {
            Class::Response
            | Class::InDialogue
            | Class::KeepAlive
            | Class::NotSip
            | Class::NewTcp => None,
            _ => class(*this),
        };
        if let Some(method) = method {
            admissions[*this as usize] = number(service.from.of(method));
        }
    }
    admissions
}

fn number(admission: Admission) -> u8 {
    let admitted = match admission {
        Admission::Anyone => Admitted::Anyone,
        Admission::Countries => Admitted::Countries,
        Admission::Permitted => Admitted::Permitted,
    };
    admitted as u8
}

/// What a service speaks, as the judge has it.
pub(super) fn kind(kind: Kind) -> ServiceKind {
    match kind {
        Kind::Sip => ServiceKind::Sip,
        Kind::Sips => ServiceKind::Sips,
        Kind::Ws => ServiceKind::Ws,
        Kind::Wss => ServiceKind::Wss,
        Kind::Iax2 => ServiceKind::Iax2,
        Kind::Plain => ServiceKind::Plain,
    }
}
