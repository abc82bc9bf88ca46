//! Asks Asterisk for all of it, one action at a time.

use std::future::Future;

use super::{Inventory, Technology, iax2, kept, pjsip, sip};
use crate::asterisk::ami::{Action, AskError, Link, Message};

/// Endpoints that are asked for one by one. Of more, what the lists say is known alone.
const DETAILED: usize = 5_000;

/// Endpoints that may fail to answer: then no other is asked.
const FAILURES: usize = 20;

/// Who asks the manager interface.
pub trait Ask {
    /// The blocks that answer an action: its response, or the events of its list.
    ///
    /// # Errors
    /// Why there is no answer.
    fn ask(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> impl Future<Output = Result<Vec<Message>, AskError>> + Send;
}

impl Ask for Link {
    async fn ask(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Message>, AskError> {
        let mut asked = Action::new(action);
        for (key, value) in parameters {
            asked = asked.with(*key, *value);
        }
        Link::ask(self, asked).await
    }
}

/// Asks for everything. What cannot be had is noted and left out.
///
/// # Errors
/// When the very first question fails for another reason than that PJSIP is not there: then nothing is known.
pub async fn gather(ask: &impl Ask) -> Result<Inventory, AskError> {
    let mut inventory = Inventory::default();
    match ask.ask("PJSIPShowEndpoints", &[]).await {
        Ok(endpoints) => of_pjsip(ask, endpoints, &mut inventory).await,
        Err(AskError::Unavailable { .. }) => {}
        Err(error) => return Err(error),
    }
    if let Some(peers) = had(ask, "SIPpeers", &[], &mut inventory).await {
        sip::read_peers(&peers, &mut inventory);
        if let Some(registry) = had(ask, "SIPshowregistry", &[], &mut inventory).await {
            sip::read_registry(&registry, Technology::Sip, &mut inventory);
        }
        let command = [("Command", "sip show settings")];
        if let Some(settings) = had(ask, "Command", &command, &mut inventory).await {
            sip::read_settings(&settings, &mut inventory);
        }
    }
    if let Some(peers) = had(ask, "IAXpeers", &[], &mut inventory).await {
        of_iax2(ask, &peers, &mut inventory).await;
    }
    Ok(inventory)
}

/// Asks for who is there and who is registered: the lists alone, which cost Asterisk little.
///
/// # Errors
/// As those of [`gather`].
pub async fn gather_lists(ask: &impl Ask) -> Result<Inventory, AskError> {
    let mut inventory = Inventory::default();
    match ask.ask("PJSIPShowEndpoints", &[]).await {
        Ok(endpoints) => {
            let answers = pjsip_lists(ask, endpoints, &mut inventory).await;
            pjsip::read(&answers, &mut inventory);
        }
        Err(AskError::Unavailable { .. }) => {}
        Err(error) => return Err(error),
    }
    if let Some(peers) = had(ask, "SIPpeers", &[], &mut inventory).await {
        sip::read_peers(&peers, &mut inventory);
    }
    if let Some(peers) = had(ask, "IAXpeers", &[], &mut inventory).await {
        iax2::read_peers(&peers, &mut inventory);
    }
    Ok(inventory)
}

async fn pjsip_lists(
    ask: &impl Ask,
    endpoints: Vec<Message>,
    inventory: &mut Inventory,
) -> pjsip::Answers {
    let mut answers = pjsip::Answers {
        endpoints,
        ..pjsip::Answers::default()
    };
    for (action, answer) in [
        ("PJSIPShowContacts", &mut answers.contacts),
        ("PJSIPShowRegistrationsOutbound", &mut answers.outbound),
    ] {
        *answer = had(ask, action, &[], inventory).await.unwrap_or_default();
    }
    answers
}

async fn of_pjsip(ask: &impl Ask, endpoints: Vec<Message>, inventory: &mut Inventory) {
    let mut answers = pjsip_lists(ask, endpoints, inventory).await;
    let inbound = had(ask, "PJSIPShowRegistrationsInbound", &[], inventory).await;
    answers.inbound = inbound.unwrap_or_default();
    pjsip::read(&answers, inventory);
    let names: Vec<String> = inventory
        .endpoints
        .iter()
        .map(|endpoint| endpoint.name.clone())
        .collect();
    if names.len() > DETAILED {
        let left = format!("only the first {DETAILED} endpoints are asked for");
        inventory.unasked.push(("PJSIPShowEndpoint".into(), left));
    }
    let mut failures = 0;
    for name in names.iter().take(DETAILED) {
        match ask.ask("PJSIPShowEndpoint", &[("Endpoint", name)]).await {
            Ok(details) => pjsip::read_details(name, &details, inventory),
            Err(error) => {
                failures += 1;
                // The first says why; where none may be asked, or nobody answers, none is.
                if failures == 1 {
                    let action = format!("PJSIPShowEndpoint {name}");
                    inventory.unasked.push((kept(&action), error.to_string()));
                }
                if matches!(error, AskError::NotAllowed { .. }) || failures >= FAILURES {
                    break;
                }
            }
        }
    }
}

async fn of_iax2(ask: &impl Ask, peers: &[Message], inventory: &mut Inventory) {
    let before = inventory.endpoints.len();
    iax2::read_peers(peers, inventory);
    if let Some(registry) = had(ask, "IAXregistry", &[], inventory).await {
        sip::read_registry(&registry, Technology::Iax2, inventory);
    }
    let names: Vec<String> = inventory
        .endpoints
        .iter()
        .skip(before)
        .map(|endpoint| endpoint.name.clone())
        .filter(|name| is_word(name))
        .collect();
    for name in names.iter().take(DETAILED) {
        let command = format!("iax2 show peer {name}");
        match had(ask, "Command", &[("Command", &command)], inventory).await {
            Some(details) => iax2::read_details(name, &details, inventory),
            None => break,
        }
    }
}

/// The answer; why there is none is noted, unless there is nothing to be asked for.
async fn had(
    ask: &impl Ask,
    action: &str,
    parameters: &[(&str, &str)],
    inventory: &mut Inventory,
) -> Option<Vec<Message>> {
    match ask.ask(action, parameters).await {
        Ok(messages) => Some(messages),
        Err(AskError::Unavailable { .. }) => None,
        Err(error) => {
            let what = parameters.first().map_or(action, |(_, value)| value);
            inventory.unasked.push((kept(what), error.to_string()));
            None
        }
    }
}

/// Whether a name is one word of a command: one of more would be another command.
pub(crate) fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}
