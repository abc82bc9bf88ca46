use proptest::prelude::*;

use super::recorded::{Recorded, asked};
use super::*;
use crate::asterisk::ami::AskError;
use crate::store::Name;

fn endpoint<'i>(inventory: &'i Inventory, name: &str) -> &'i Endpoint {
    let mut endpoints = inventory.endpoints.iter();
    endpoints.find(|endpoint| endpoint.name == name).unwrap()
}

fn hosts(endpoint: &Endpoint) -> Vec<String> {
    endpoint.hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn the_recorded_pbx_is_read_whole() {
    let inventory = asked(&Recorded::new_pbx());
    assert_eq!(inventory.endpoints.len(), 21 + 2);
    let phone = endpoint(&inventory, "1001");
    assert_eq!(
        (phone.kind, phone.acl, phone.open),
        (Kind::Phone, Some(false), false)
    );
    let [contact] = phone.contacts.as_slice() else {
        panic!("{phone:?}")
    };
    assert_eq!(contact.address, Some([198, 51, 100, 41].into()));
    assert_eq!(contact.via, Some([198, 51, 100, 41].into()));
    assert_eq!(contact.port, Some(5060));
    assert_eq!(contact.user_agent, "FwTest-Phone 1.0");
    assert_eq!(contact.expires.unwrap().as_second(), 1_795_227_491);
    assert_eq!(
        contact.key.as_deref(),
        Some("1001;@0154273dcf0e6298fb270477124c00df")
    );
    assert_eq!(endpoint(&inventory, "1006").contacts.len(), 2);
    let six = &endpoint(&inventory, "1013").contacts[0];
    assert_eq!(six.address, Some("2001:db8:51::3".parse().unwrap()));
    let trunk = endpoint(&inventory, "trunk1");
    assert_eq!(
        (trunk.kind, hosts(trunk)),
        (Kind::Trunk, vec!["198.51.100.200".into()])
    );
    let outbound: Vec<_> = inventory
        .outbound
        .iter()
        .map(|of| (of.name.as_str(), of.uri.as_str(), of.status.as_str()))
        .collect();
    assert_eq!(
        outbound,
        [
            ("reg-trunk1", "sip:198.51.100.200", "Rejected"),
            ("reg-trunk2", "sip:198.51.100.201", "Rejected"),
        ]
    );
    let peer = endpoint(&inventory, "iaxpeer1");
    assert_eq!(peer.kind, Kind::Peer);
    let source = peer.contacts[0].source.unwrap();
    assert_eq!(source.to_string(), "198.51.100.61:4569");
    assert_eq!(endpoint(&inventory, "iaxpeer2").contacts, []);
    assert_eq!(inventory.sip, None);
    // `pw-1001`; that of the provider is long enough.
    let weak: Vec<_> = inventory
        .weak
        .iter()
        .map(|weak| (weak.section.as_str(), weak.fault))
        .collect();
    assert_eq!(weak, [("auth1001", Fault::Short)]);
    assert!(!format!("{inventory:?}").contains("pw-1001"));
    assert!(!format!("{inventory:?}").contains("trunk-secret"));
}

#[test]
fn the_recorded_pbx_with_chan_sip_is_read_whole() {
    let settings = "Response: Success\nMessage: Command output follows\nOutput: Global Settings:\n\
                    Output:   Allow unknown access:   Yes\nOutput:   Always auth rejects:    No\n\n";
    let registry = "Event: RegistryEntry\nHost: sip.provider.example\nPort: 5060\nUsername: me\n\
                    State: Registered\n\n";
    let old = Recorded::old_pbx()
        .with("Command", "sip show settings", settings)
        .with("SIPshowregistry", "", registry);
    let inventory = asked(&old);
    assert_eq!(inventory.endpoints.len(), 21 + 2);
    let phone = endpoint(&inventory, "1002");
    assert_eq!(phone.technology, Technology::Sip);
    assert_eq!(phone.contacts[0].address, Some([198, 51, 100, 42].into()));
    assert_eq!(phone.contacts[0].source, None);
    assert_eq!(endpoint(&inventory, "1001").contacts, []);
    assert_eq!(endpoint(&inventory, "1019").acl, Some(true));
    let trunk = endpoint(&inventory, "trunk1");
    assert_eq!(
        (trunk.kind, hosts(trunk)),
        (Kind::Trunk, vec!["198.51.100.200".into()])
    );
    assert_eq!(inventory.outbound[0].name, "me");
    assert_eq!(
        inventory.outbound[0].hosts[0].to_string(),
        "sip.provider.example"
    );
    let settings = inventory.sip.unwrap();
    assert!(settings.guests && !settings.always_reject);
}

#[test]
fn details_of_trunks_guests_and_call_tokens() {
    let list = "Event: EndpointList\nObjectName: carrier\nAuths: \nOutboundAuths: out\nContacts: \n\n\
                Event: EndpointList\nObjectName: anonymous\nAuths: \nContacts: \n\n";
    let carrier = "Event: EndpointDetail\nObjectName: carrier\nAuth: \nAcl: providers\nIdentifyBy: username,ip\n\n\
                   Event: AuthDetail\nObjectName: in\nUsername: carrier\nPassword: Carrier\nEndpointName: carrier\n\n\
                   Event: AuthDetail\nObjectName: hashed\nUsername: carrier\nPassword: \nMd5Cred: 0123\n\n\
                   Event: IdentifyDetail\nObjectName: ident\nMatch: 198.51.100.200/255.255.255.255,\
                   203.0.113.0/255.255.255.240,!203.0.113.1/32,2001:db8:7::/48,junk\n\n\
                   Event: IdentifyDetail\nObjectName: all\nMatch: 0.0.0.0/0.0.0.0\n\n";
    let peer = "Response: Success\nOutput:   Calltoken req: No\nOutput:   ACL          : Yes\n\n";
    let pbx = Recorded::new_pbx()
        .with("PJSIPShowEndpoints", "", list)
        .with("PJSIPShowEndpoint", "carrier", carrier)
        .with("Command", "iax2 show peer iaxpeer2", peer);
    let inventory = asked(&pbx);
    let carrier = endpoint(&inventory, "carrier");
    assert_eq!((carrier.kind, carrier.acl), (Kind::Trunk, Some(true)));
    assert!(carrier.open && carrier.everywhere);
    assert_eq!(
        hosts(carrier),
        ["198.51.100.200", "203.0.113.0/28", "2001:db8:7::/48"]
    );
    assert_eq!(endpoint(&inventory, "anonymous").kind, Kind::Guest);
    let iax = endpoint(&inventory, "iaxpeer2");
    assert_eq!((iax.call_token, iax.acl), (Some(false), Some(true)));
    assert_eq!(endpoint(&inventory, "iaxpeer1").call_token, None);
    assert_eq!(inventory.weak.len(), 2, "that of 1001 too");
    assert!(
        inventory
            .weak
            .iter()
            .any(|weak| weak.section == "in" && weak.fault == Fault::User)
    );
    // Contacts of endpoints that came since the list was made are there.
    assert_eq!(endpoint(&inventory, "1006").contacts.len(), 2);
}

/// Whoever registers a moment too late for the list of contacts is not taken for what the administrator wrote.
#[test]
fn only_what_nobody_can_register_is_a_fixed_host() {
    let list = "Event: EndpointList\nObjectName: 1001\nAuths: a\nContacts: 1001/sip:x@203.0.113.9:5060,\n\n";
    let inventory = asked(&Recorded::new_pbx().with("PJSIPShowEndpoints", "", list));
    let phone = endpoint(&inventory, "1001");
    assert_eq!((phone.kind, phone.hosts.as_slice()), (Kind::Phone, &[][..]));
}

#[test]
fn what_may_not_be_asked_is_told_and_the_rest_is_read() {
    let denied = "Response: Error\nMessage: Permission denied\n\n";
    let pbx = Recorded::new_pbx()
        .with("PJSIPShowEndpoint", "1001", denied)
        .with("IAXpeers", "", denied);
    let inventory = asked(&pbx);
    assert_eq!(inventory.endpoints.len(), 21);
    let unasked: Vec<_> = inventory.unasked.iter().map(|(what, _)| what).collect();
    assert_eq!(unasked, ["PJSIPShowEndpoint 1001", "IAXpeers"]);
    let (_, why) = &inventory.unasked[0];
    assert!(why.contains("does not permit"), "{why}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let pbx = Recorded::new_pbx().with("PJSIPShowEndpoints", "", denied);
    let answer = runtime.block_on(gather(&pbx));
    assert!(matches!(answer, Err(AskError::NotAllowed { .. })));
}

#[test]
fn sources_are_filled_in_where_they_are_certain() {
    let mut inventory = asked(&Recorded::new_pbx());
    let mut learned = Learned::default();
    for (account, source) in [
        ("1001", "198.51.100.41:40001"),
        ("1002", "203.0.113.77:5060"),
        ("1003", "203.0.113.1:1"),
        ("1003", "203.0.113.2:2"),
        ("1006", "198.51.100.47:5060"),
        ("1006", "203.0.113.46:40022"),
        ("iaxpeer1", "203.0.113.99:4569"),
        ("nobody", "203.0.113.98:5060"),
    ] {
        learned.note(Name::new(account), source.parse().unwrap());
    }
    inventory.fill_sources(&learned);
    let sources = |name: &str| -> Vec<String> {
        let contacts = &endpoint(&inventory, name).contacts;
        let shown = |of: &Contact| of.source.map_or("-".into(), |source| source.to_string());
        contacts.iter().map(shown).collect()
    };
    assert_eq!(sources("1001"), ["198.51.100.41:40001"]);
    assert_eq!(sources("1002"), ["203.0.113.77:5060"]);
    assert_eq!(sources("1003"), ["-"], "which of the two is not known");
    assert_eq!(sources("1004"), ["-"]);
    assert_eq!(
        sources("1006"),
        ["203.0.113.46:40022", "198.51.100.47:5060"]
    );
    assert_eq!(sources("iaxpeer1"), ["198.51.100.61:4569"]);
}

/// Keys and values of every answer, and what strangers may make of them.
fn lines() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec![
        "Event",
        "ObjectName",
        "Endpoint",
        "Uri",
        "ViaAddr",
        "ExpirationTime",
        "Contacts",
        "Aor",
        "Auths",
        "Match",
        "MaxContacts",
        "ServerUri",
        "OutboundProxy",
        "Password",
        "Channeltype",
        "IPaddress",
        "IPport",
        "Dynamic",
        "Host",
        "Output",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec![
            "EndpointList",
            "ContactList",
            "InboundRegistrationDetail",
            "OutboundRegistrationDetail",
            "AuthDetail",
            "IdentifyDetail",
            "EndpointDetail",
            "PeerEntry",
            "RegistryEntry",
            "PJSIP",
            "SIP",
            "IAX2",
            "yes",
            "0",
            "sip:a@192.0.2.1",
            "1001/sip:a@192.0.2.1,",
            "0.0.0.0/0",
            "9223372036854775807",
            "1001;@x",
            ";@",
        ])
        .prop_map(str::to_owned),
        "[^\r\n]{0,40}",
    ];
    prop::collection::vec((keys, values), 1..12).prop_map(|lines| {
        let lines: Vec<_> = lines.iter().map(|(k, v)| format!("{k}: {v}\n")).collect();
        lines.concat() + "\n"
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_answer_is_taken(blocks in prop::collection::vec(lines(), 1..8)) {
        let text = blocks.concat();
        let mut pbx = Recorded::default();
        for action in [
            "PJSIPShowEndpoints", "PJSIPShowContacts", "PJSIPShowRegistrationsInbound",
            "PJSIPShowRegistrationsOutbound", "SIPpeers", "SIPshowregistry", "IAXpeers", "IAXregistry",
        ] {
            pbx = pbx.with(action, "", &text);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(inventory) = runtime.block_on(gather(&pbx)) {
            for (_, contact) in inventory.contacts() {
                prop_assert!(contact.uri.chars().count() <= LONGEST);
            }
        }
    }
}

#[test]
fn long_texts_are_cut_and_never_keys() {
    let long = "x".repeat(5000);
    let contact = format!(
        "Event: ContactList\nObjectName: {long};@1\nUri: sip:{long}@192.0.2.1\nUserAgent: {long}\n\n"
    );
    let pbx = Recorded::new_pbx().with("PJSIPShowContacts", "", &contact);
    let inventory = asked(&pbx);
    let (_, contact) = inventory
        .contacts()
        .find(|(_, contact)| contact.source.is_none())
        .unwrap();
    assert_eq!(contact.key, None);
    assert_eq!(contact.address, Some([192, 0, 2, 1].into()));
    for text in [&contact.uri, &contact.user_agent, &contact.aor] {
        assert_eq!(text.len(), LONGEST);
    }
}

#[test]
fn the_source_of_one_contact_is_not_taken_for_that_of_another() {
    let thief = "203.0.113.46:40022".parse().unwrap();
    for learned_from in ["203.0.113.46:40022", "203.0.113.46:1024"] {
        let mut inventory = asked(&Recorded::new_pbx());
        let mut endpoints = inventory.endpoints.iter_mut();
        let phone = endpoints.find(|endpoint| endpoint.name == "1006").unwrap();
        // Its accepted credentials say where the second is; of the first nothing is known.
        phone.contacts[1].source = Some(thief);
        let mut learned = Learned::default();
        learned.note(Name::new("1006"), learned_from.parse().unwrap());
        inventory.fill_sources(&learned);
        let contacts = &endpoint(&inventory, "1006").contacts;
        assert_eq!(contacts[1].source, Some(thief));
        assert_eq!(contacts[0].source, None, "{learned_from}");
    }
}
