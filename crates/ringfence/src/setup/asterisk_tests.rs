//! Files as Debian's Asterisk and FreePBX have them.

use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> Configured {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    configured(folder.path())
}

fn said(found: &Configured) -> Vec<String> {
    let said = |bind: &Bind| {
        let address = bind.address.map(|address| format!("{address} "));
        format!(
            "{} {}/{} {}{}",
            bind.kind,
            bind.protocol,
            bind.port,
            address.unwrap_or_default(),
            bind.why
        )
    };
    found.binds.iter().map(said).collect()
}

#[test]
fn freepbx_with_both_drivers() {
    let found = folder(&[
        ("asterisk.conf", ""),
        (
            "pjsip.conf",
            "#include pjsip.custom.conf\n#include pjsip.transports.conf\n#include pjsip.endpoint.conf\n",
        ),
        (
            "pjsip.transports.conf",
            "#include pjsip.transports_custom.conf\n[0.0.0.0-udp]\ntype=transport\nprotocol=udp\n\
             bind=0.0.0.0:5060\nexternal_media_address=198.51.100.5\nallow_reload=yes\n\
             [0.0.0.0-tls]\ntype=transport\nprotocol=tls\nbind=0.0.0.0:5061\n\
             [0.0.0.0-wss]\ntype=transport\nprotocol=wss\nbind=0.0.0.0\n",
        ),
        (
            "pjsip.transports_custom_post.conf",
            "[six]\ntype=transport\nprotocol=udp\nbind=:::5062\n",
        ),
        (
            "sip.conf",
            "[general]\n#include sip_general_additional.conf\n",
        ),
        (
            "sip_general_additional.conf",
            "faxdetect=no\nbindport=5160\ntlsenable=yes\ntlsbindaddr=[::]:5161\ntcpenable=no\n",
        ),
        ("iax.conf", "[general]\nbindport=4569\n"),
        ("http.conf", "[general]\n#include http_additional.conf\n"),
        (
            "http_additional.conf",
            "[general]\nenabled=yes\nbindaddr=::\nbindport=8088\ntlsenable=yes\ntlsbindaddr=[::]:8089\n",
        ),
        ("rtp.conf", "#include rtp_additional.conf\n"),
        (
            "rtp_additional.conf",
            "[general]\nrtpstart=10000\nrtpend=20000\n",
        ),
        (
            "manager.conf",
            "[general]\nenabled = yes\nport = 5038\nbindaddr = 127.0.0.1\n[admin]\nsecret = x\n",
        ),
    ]);
    assert!(found.there);
    assert_eq!(
        said(&found),
        [
            "sip udp/5060 [0.0.0.0-udp] in pjsip.transports.conf",
            "sip udp/5062 [six] in pjsip.transports_custom_post.conf",
            "sip udp/5160 sip_general_additional.conf",
            "sips tcp/5061 [0.0.0.0-tls] in pjsip.transports.conf",
            "sips tcp/5161 sip_general_additional.conf",
            "ws tcp/8088 http_additional.conf",
            "wss tcp/8089 http_additional.conf",
            "iax2 udp/4569 iax.conf",
        ]
    );
    assert_eq!(
        found.rtp,
        Some((10000, 20000, "rtp_additional.conf".into()))
    );
    assert_eq!(found.ami, Some("127.0.0.1:5038".parse().unwrap()));
    assert_eq!(found.not_read, [""; 0]);
}

#[test]
fn a_plain_asterisk_with_a_template_and_an_include() {
    let found = folder(&[
        (
            "pjsip.conf",
            "[transport](!)\ntype = transport\nbind = 192.0.2.10\n[u](transport)\n[t](transport)\nprotocol = tcp\n\
             [6001]\ntype = endpoint\n#include \"sites/*.conf\"\n",
        ),
        (
            "http.conf",
            "[general]\nenabled = no\nbindaddr = 127.0.0.1\n",
        ),
        ("manager.conf", "[general]\nenabled = no\n"),
    ]);
    assert_eq!(
        said(&found),
        [
            "sip udp/5060 192.0.2.10 [u] in pjsip.conf",
            "sip tcp/5060 192.0.2.10 [t] in pjsip.conf",
        ]
    );
    assert_eq!(found.not_read, ["sites/*.conf, which pjsip.conf includes"]);
    assert_eq!((found.rtp, found.ami), (None, None));
}

#[test]
fn nothing_and_nonsense() {
    assert_eq!(configured(Path::new("/nonexistent")), Configured::default());
    let found = folder(&[(
        "pjsip.conf",
        "[a]\ntype=transport\nbind=host.example.com\n[b]\ntype=transport\n[c]\ntype=transport\nbind=1.2.3.4:99999\n",
    )]);
    assert_eq!(found.binds, []);
}

#[test]
fn addresses_as_they_are_written() {
    let v4 = Some("192.0.2.1".parse().unwrap());
    for (text, expected) in [
        ("0.0.0.0:5060", Some((None, Some(5060)))),
        ("[::]:5060", Some((None, Some(5060)))),
        (":::5060", Some((None, Some(5060)))),
        ("::", Some((None, None))),
        ("192.0.2.1", Some((v4, None))),
        ("192.0.2.1:0", Some((v4, None))),
        ("localhost:5060", None),
        ("", None),
    ] {
        assert_eq!(place(text), expected, "{text}");
    }
}
