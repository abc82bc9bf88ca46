//! What the shipped list hits and what it leaves alone.

use ringfence_core::automaton::{Counted, Hits, Location, Outcome};

use super::{Condition, Place, Signature, compile, shipped};

/// A signature of one condition, a value that it hits and one that it nearly hits.
const SINGLE: &[(&str, &str, &str)] = &[
    (
        "ua-friendly-scanner",
        "friendly-scanner",
        "friendly scanner",
    ),
    (
        "ua-friendly-request",
        "friendly-request",
        "a friendly-request",
    ),
    ("ua-sipvicious", "x SIPVicious 0.3", "sip vicious"),
    ("ua-sundayddr", "sundayddr", "sundayaddr"),
    ("ua-pplsip", "pplsip", "pplsi"),
    ("ua-sipptk", "SIPPTK", "sippt"),
    ("ua-sipcli", "sipcli/v1.8", "my sipcli"),
    ("ua-vaxsip", "VaxSIPUserAgent/3.1", "VaxSIP UserAgent"),
    ("ua-vaxip", "VaxIPUserAgent", "VaxIP"),
    ("ua-vaxuseragent", "VaxUserAgent/3", "Vax UserAgent"),
    ("ua-sip-scan", "sip-scan", "sip scan"),
    ("ua-sipscan", "SIPScan 2", "sipsca"),
    ("ua-iwar", "iWar", "iWa"),
    ("ua-sivus", "SIVuS VoIP scanner", "SIVU"),
    ("ua-gulp", "gulp", "Gulp 2"),
    ("ua-sipv", "sipv", "sipvia"),
    ("ua-smap", "smap", "smap phone"),
    ("ua-sipsak", "sipsak 0.9.8", "sip sak"),
    ("ua-siparmyknife", "siparmyknife", "armyknife"),
    ("ua-test-agent", "Test Agent", "Test Agent 2"),
    (
        "ua-viproy",
        "Viproy Penetration Testing Kit - Test Agent",
        "Vipro",
    ),
    ("ua-nmap-nse", "Nmap NSE", "Nmap"),
    ("ua-nsauditor", "Nsauditor", "auditor"),
    ("ua-vsaudit", "vsaudit-ua", "vsaudit"),
    ("ua-bluebox", "bluebox-scanner", "bluebox"),
    (
        "ua-inviteflood",
        "Elite 1.0 Brcm Callctrl/1.5.1.0 MxSF/v.3.2.6.26",
        "Elite 1.0 Brcm",
    ),
    ("ua-voipsec", "VoIPSec", "VoIPSe"),
    ("ua-sipreg", "SipReg v1", "Sip Reg"),
    ("ua-simplesip", "SimpleSIP V4.3", "Simple SIP"),
    ("ua-sip-call", "SIP Call", "SIP Caller"),
    ("ua-custom-sip", "Custom SIP Phone", "Custom"),
    ("ua-niceguy", "a NiceGuy b", "Nice Guy"),
    ("ua-qnq", "QNQ", "QN"),
    ("ua-asterix-pbx", "Asterix PBX", "Asterisk PBX"),
    (
        "ua-asterisk-111111",
        "Asterisk PBX 11.11.11",
        "Asterisk PBX 11.11.1",
    ),
    ("ua-voip-exact", "VOIP", "VOIP phone"),
    ("ua-pbx-exact", "PBX", "PBX 2"),
    ("ua-trixbox-exact", "Trixbox", "Trixbox 2.8"),
    (
        "ua-opensip-exact",
        "opensip",
        "OpenSIPS (3.4.2 (x86_64/linux))",
    ),
    ("ua-cisco-exact", "cisco", "Cisco"),
    ("ua-xlite-lower", "xlite", "X-Lite release 1104o"),
    ("ua-avaya-spice", "AVAYA/SPICE/v2", "Avaya one-X"),
    ("ua-cisco-cucm86", "Cisco-CUCM8.6", "Cisco-CUCM12.5"),
    ("ua-freepbx-18", "FreePBX 1.8", "FreePBX 1.81"),
    ("ua-usaairport", "UsaAirport", "Usa Airport"),
    ("ua-zxcvfdf", "zxcvfdf", "zxcv"),
    ("ua-honeypot-junk", "aaaaaa", "aaa"),
    ("from-sipvicious-display", "sipvicious", "sipvicious 2"),
    (
        "from-100-at-1111",
        "\"sipvicious\"<sip:100@1.1.1.1>;tag=1",
        "<sip:100@1.1.1.2>",
    ),
    ("from-host-1111", "1.1.1.1", "1.1.1.10"),
    ("contact-123-at-1111", "sip:123@1.1.1.1", "sip:123@1.1.2.1"),
    ("from-sipsscuser", "sipsscuser", "sipuser"),
    (
        "from-sivus",
        "<sip:SIVuS_VoIP_Scanner@10.0.0.1>",
        "<sip:SIVuS@10.0.0.1>",
    ),
    (
        "sivus-discovery-from",
        "<sip:sivus-discovery@vopsecurity.org>",
        "<sip:sivus@vopsecurity.org>",
    ),
    (
        "sivus-discovery-contact",
        "<sip:sivus-discovery@vopsecurity.org>",
        "<sip:a@vopsecurity.org>",
    ),
    ("from-smap", "smap", "smapp"),
    ("user-sipsak", "sipsak", "sipsak2"),
    ("from-thisisthecanary", "thisisthecanary", "canary"),
    ("request-uri-thisisthecanary", "thisisthecanary", "canary"),
    ("from-voiper-tester", "tester", "tester1"),
    ("from-display-attack-names", "MAYET", "Mayeta"),
    ("from-user-voipgw", "voipgw", "voipgw1"),
    ("from-user-generic", "8888888888", "88888888888"),
    ("from-sipp-default", "sipp", "sippy"),
    ("from-tag-sipp", "12345SIPpTag001", "12345Tag001"),
    ("subject-sipp", "Performance Test", "Performance Tests"),
    (
        "rfc3261-host-contact",
        "<sip:alice@pc33.atlanta.com>",
        "<sip:alice@pc33.atlanta.community>",
    ),
    (
        "rfc3261-host-request-uri",
        "bobspc.biloxi.com",
        "bobspcxbiloxi.com",
    ),
    ("nmap-clone-probe", "sip:nm", "sip:nm2"),
    (
        "sippts-branch",
        "0123456789abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789a",
        "0123456789abcdefghij0123456789abcdefghij0123456789abcdefghij0123456789",
    ),
    (
        "sipvicious-branch",
        "z9hG4bK-1234567890",
        "z9hG4bK-123456789a",
    ),
    ("svcrack-tag", "3206210844", "32062108440"),
    (
        "svmap-contact-none",
        "sip:None@192.0.2.1:5060",
        "sip:none@192.0.2.1",
    ),
    ("inviteflood-cseq", "0000000001 INVITE", "1000000 INVITE"),
    (
        "mrsip-sdp",
        "Z 23137520 0 IN IP4 192.168.1.45",
        "Z 23137520 0 IN IP4 192.168.1.4",
    ),
    ("sdp-portsip", "portsip.com", "portsip"),
    ("branch-no-cookie", "abcdef.1234567890", "z9hG4bKabc"),
    ("inject-quote-user", "100' or 1=1", "100"),
    ("inject-quote-from", "a%27b", "a-b"),
    ("inject-shell-user", "1;wget http", "wget"),
    ("off-portsip-sdk", "PortSIP VoIP SDK 18", "Port SIP"),
    ("off-conaito", "Conaito", "Conait"),
    ("off-ozeki", "Ozeki VoIP SIP SDK", "My Ozeki"),
    ("off-abto", "ABTO Video SIP SDK", "ABTO"),
    ("off-mizu", "MizuPhone", "Mizu"),
    ("off-sipclient", "SipClient", "Sip Client"),
    ("off-sipsorcery", "sipsorcery_v6.0", "sip sorcery"),
    ("off-csipsimple", "CSipSimple_a/r2457", "SipSimple"),
    ("off-eyebeam", "eyeBeam release 3015c", "eye Beam"),
    ("off-zoiper3", "Z 3.15.40006 rv2.8.20", "Z 5.6.1 v2.10"),
    ("off-im-client-oma", "IM-client/OMA1.0 x", "IM-client"),
    (
        "off-cisco-sipgateway",
        "Cisco-SIPGateway/IOS-15",
        "Cisco-Gateway",
    ),
    ("off-cisco-cucm", "Cisco-CUCM12.5", "Cisco-CUC"),
    ("off-asterisk-pbx", "Asterisk PBX", "Asterisk PBX 18.9.0"),
    ("off-fpbx", "FPBX-16.0.40(18.16.0)", "FreePBX"),
    ("off-linksys", "Linksys/SPA942-6.1.5", "Cisco/SPA942"),
    (
        "off-multipart-mixed",
        "\r\nContent-Type: multipart/mixed;boundary=x",
        "multipart/alternative",
    ),
];

type Parts = &'static [(Location, &'static str)];

/// A signature of several conditions, a message that it hits and one that it nearly hits.
const SEVERAL: &[(&str, Parts, Parts)] = &[
    (
        "nmap-service-probe",
        &[
            (Location::RequestUri, "sip:nm"),
            (Location::From, "<sip:nm@nm>;tag=root"),
        ],
        &[
            (Location::RequestUri, "sip:nm"),
            (Location::From, "<sip:nm@example.com>"),
        ],
    ),
    (
        "msf-options-tag",
        &[
            (Location::RequestLine, "OPTIONS sip:a SIP/2.0"),
            (Location::FromTag, "70c00e8c"),
        ],
        &[
            (Location::RequestLine, "INVITE sip:a SIP/2.0"),
            (Location::FromTag, "70c00e8c"),
        ],
    ),
    (
        "zmap-sip-template",
        &[
            (Location::RequestLine, "OPTIONS sip:a SIP/2.0"),
            (Location::ViaBranch, "abcDEF.1234567890"),
        ],
        &[
            (Location::RequestLine, "OPTIONS sip:a SIP/2.0"),
            (Location::ViaBranch, "abcDEF.123456789"),
        ],
    ),
    (
        "sipvicious-shape",
        &[
            (Location::ViaBranch, "z9hG4bK-77"),
            (Location::Contact, "sip:100@192.0.2.1:5060"),
            (Location::Accept, "application/sdp"),
        ],
        &[
            (Location::ViaBranch, "z9hG4bK-77"),
            (Location::Contact, "<sip:100@192.0.2.1:5060>"),
            (Location::Accept, "application/sdp"),
        ],
    ),
    (
        "sipvicious-numbers",
        &[
            (Location::ViaBranch, "z9hG4bK-77"),
            (Location::CallId, "1234567890"),
            (Location::Contact, "sip:100@192.0.2.1:5060"),
        ],
        &[
            (Location::ViaBranch, "z9hG4bK-77"),
            (Location::CallId, "1234567890@192.0.2.1"),
            (Location::Contact, "sip:100@192.0.2.1:5060"),
        ],
    ),
    (
        "svcrack-asterisk-disguise",
        &[
            (Location::UserAgent, "Asterisk PBX"),
            (Location::CSeq, "1 REGISTER"),
        ],
        &[
            (Location::UserAgent, "Asterisk PBX"),
            (Location::CSeq, "102 REGISTER"),
        ],
    ),
    (
        "sdp-cisco-gw-mismatch",
        &[
            (
                Location::SdpOrigin,
                "CiscoSystemsSIP-GW-UserAgent 1 2 IN IP4 192.0.2.1",
            ),
            (Location::UserAgent, "PortSIP VoIP SDK"),
        ],
        &[
            (
                Location::SdpOrigin,
                "CiscoSystemsSIP-GW-UserAgent 1 2 IN IP4 192.0.2.1",
            ),
            (Location::UserAgent, "Cisco-SIPGateway/IOS-12.x"),
        ],
    ),
    (
        "rfc4475-torture",
        &[(
            Location::RequestUri,
            "sip:1_unusual.URI~(to-be!sure)&isn't@example.com",
        )],
        &[(Location::RequestUri, "sip:1_unusual.URI@example.com")],
    ),
];

/// What phones, gateways and servers in use call themselves.
const REAL: &[&str] = &[
    "Yealink SIP-T46S 66.86.0.15",
    "Yealink W60B 77.85.0.20",
    "Grandstream GXP2170 1.0.11.35",
    "Grandstream HT801 1.0.35.4",
    "Grandstream Wave 1.0.3.34",
    "PolycomVVX-VVX_411-UA/6.4.3.5156",
    "PolycomSoundPointIP-SPIP_550-UA/4.0.14.1580",
    "PolyEdge-Edge_E350-UA/8.1.2.0",
    "snomD785/10.1.148.1",
    "snom320/8.7.5.35",
    "Cisco/SPA504G-7.6.2SR7",
    "Cisco-CP8841/11.3.7",
    "Cisco-CP7965G/9.4.2",
    "Linksys/PAP2T-5.1.6(LS)",
    "Cisco-SIPGateway/IOS-16.12.4",
    "Cisco-CUCM12.5",
    "Zoiper rv2.10.20.4",
    "Z 5.6.6 v2.10.20.4",
    "Zoiper v2.10.18.6-mod",
    "LinphoneiOS/5.2.0 (iPhone) LinphoneSDK/5.3.0",
    "Linphone-Desktop/5.1.2 (Linux) LinphoneCore/5.2.110",
    "MicroSIP/3.21.3",
    "Bria 6 release 6.5.2 stamp 110909",
    "Bria iOS release 7.4.1 stamp 42003",
    "X-Lite release 5.8.3 stamp 97003",
    "3CXPhoneSystem 18.0.8.925 (904)",
    "3CX Mobile Client 18.5",
    "Asterisk PBX 18.20.2~dfsg",
    "Asterisk PBX 20.5.0",
    "Asterisk PBX",
    "FPBX-16.0.40.7(18.16.0)",
    "FPBX-15.0.37(16.20.0)",
    "kamailio (5.7.4 (x86_64/linux))",
    "OpenSIPS (3.4.5 (x86_64/linux))",
    "FreeSWITCH-mod_sofia/1.10.11-release~64bit",
    "baresip v3.9.0 (x86_64/Linux)",
    "PJSUA v2.14 Linux-6.1/x86_64/glibc-2.36",
    "Jitsi2.10.5550Linux",
    "Fanvil X4U 2.12.1.4 0c383e123456",
    "AVM FRITZ!Box 7590 154.07.57",
    "N510 IP PRO/42.250.00.000.000",
    "Gigaset C430A IP/42.245.00.000.000",
    "Mitel-6867i/6.3.0.1020",
    "Aastra 6731i/3.3.1.4365",
    "Avaya one-X Deskphone 7.1.15",
    "AVAYA-SM-8.1.3.8",
    "OBIHAI/OBi202-3.2.2.8680EX",
    "Sangoma P330 4.0.1",
    "Digium D65 2_9_20",
    "Htek UC926E V2.0.4.6.14",
    "Panasonic_KX-HDV230/08.101",
    "Twilio Gateway",
    "Oracle SBC",
    "Sipura/SPA2102-5.2.13",
    "Mediant SW/v.7.20A.258.663",
    "Patton SN4141 JS 3.20.0",
    "csipsimple",
    "Blink 5.1.8 (Linux)",
    "Acrobits Softphone/5.9",
    "GS_Wave",
];

fn judge(compiled: &super::Compiled, parts: &[(Location, &str)]) -> Outcome {
    let mut hits = Hits::default();
    for (location, text) in parts {
        let start = compiled.automaton.start(*location);
        compiled.automaton.walk(start, text.bytes(), &mut hits);
    }
    compiled.automaton.settle(hits)
}

fn alone(signature: &Signature) -> super::Compiled {
    let signature = Signature {
        enabled: true,
        ..signature.clone()
    };
    compile(&[signature], &[]).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn every_shipped_signature_hits_its_sample_and_not_its_near_miss() {
    for signature in shipped() {
        let id = signature.id.as_str();
        let compiled = alone(&signature);
        let hit = |parts: &[(Location, &str)]| judge(&compiled, parts) != Outcome::default();
        let single = SINGLE.iter().find(|sample| sample.0 == id);
        let several = SEVERAL.iter().find(|sample| sample.0 == id);
        match (&signature.conditions[..], single, several) {
            ([Condition::Text { location, .. }], Some((_, yes, no)), None) => {
                assert!(hit(&[(*location, yes)]), "{id} misses {yes}");
                assert!(!hit(&[(*location, no)]), "{id} hits {no}");
                assert!(
                    !hit(&[(Location::ToTag, yes)]),
                    "{id} hits at a wrong place"
                );
            }
            ([_, _, ..], None, Some((_, yes, no))) => {
                assert!(hit(yes), "{id} misses {yes:?}");
                assert!(!hit(no), "{id} hits {no:?}");
            }
            ([Condition::Over { header, limit }], None, None) => {
                for (count, expected) in [(*limit, false), (*limit + 1, true)] {
                    let mut hits = Hits::default();
                    compiled.automaton.count(*header, count.into(), &mut hits);
                    assert_eq!(hits != Hits::default(), expected, "{id} at {count}");
                }
            }
            other => panic!("{id} needs one sample: {other:?}"),
        }
    }
}

#[test]
fn samples_belong_to_shipped_signatures() {
    let list = shipped();
    let ids = SINGLE
        .iter()
        .map(|sample| sample.0)
        .chain(SEVERAL.iter().map(|sample| sample.0));
    for id in ids {
        assert!(list.iter().any(|signature| signature.id == id), "{id}");
    }
}

#[test]
fn real_products_hit_nothing() {
    let compiled = compile(&shipped(), &[]).unwrap_or_else(|errors| panic!("{errors:?}"));
    for name in REAL {
        let outcome = judge(&compiled, &[(Location::UserAgent, name)]);
        assert_eq!(outcome, Outcome::default(), "{name}");
    }
    let phone: Parts = &[
        (
            Location::RequestLine,
            "REGISTER sip:sip.example.com SIP/2.0",
        ),
        (Location::RequestUri, "sip:sip.example.com"),
        (Location::RequestUriHost, "sip.example.com"),
        (Location::UserAgent, "Yealink SIP-T46S 66.86.0.15"),
        (
            Location::From,
            "\"Pat O'Brien\" <sip:2001@sip.example.com>;tag=1928301774",
        ),
        (Location::FromDisplay, "Pat O'Brien"),
        (Location::FromUser, "2001"),
        (Location::FromHost, "sip.example.com"),
        (Location::FromTag, "1928301774"),
        (Location::Contact, "<sip:2001@192.0.2.7:5060>"),
        (Location::ViaBranch, "z9hG4bK776asdhds"),
        (Location::CallId, "a84b4c76e66710@192.0.2.7"),
        (Location::CSeq, "1 REGISTER"),
        (Location::SdpOrigin, "- 20 20 IN IP4 192.0.2.7"),
        (Location::SdpSession, "-"),
    ];
    assert_eq!(judge(&compiled, phone), Outcome::default());
}

/// The tools of SIPVicious, as they are and with another User-Agent.
#[test]
fn sipvicious_is_caught_by_name_and_by_shape() {
    let compiled = compile(&shipped(), &[]).unwrap_or_else(|errors| panic!("{errors:?}"));
    let svwar = |agent: &'static str| {
        [
            (Location::RequestLine, "REGISTER sip:192.0.2.1 SIP/2.0"),
            (Location::UserAgent, agent),
            (Location::FromUser, "100"),
            (Location::Contact, "sip:100@192.0.2.1"),
            (Location::ViaBranch, "z9hG4bK-2873912231"),
            (Location::CallId, "1288493311"),
            (Location::CSeq, "1 REGISTER"),
            (Location::Accept, "application/sdp"),
        ]
    };
    let found = judge(&compiled, &svwar("friendly-scanner"));
    assert_eq!(compiled.name(found.signature), Some("ua-friendly-scanner"));
    let found = judge(&compiled, &svwar("Yealink SIP-T46S 66.86.0.15"));
    assert_eq!(found.signature, 0);
    assert!(
        found.score >= ringfence_core::automaton::SCORE_LIMIT,
        "{found:?}"
    );
    let svcrack = judge(&compiled, &[(Location::FromTag, "3206210844")]);
    assert_eq!(compiled.name(svcrack.signature), Some("svcrack-tag"));
}

#[test]
fn every_place_has_its_name() {
    for name in Place::names() {
        assert!(Place::from_name(name).is_some(), "{name}");
    }
    assert_eq!(
        Place::names().count(),
        Location::ALL.len() + Counted::ALL.len()
    );
}
