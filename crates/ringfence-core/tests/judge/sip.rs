//! What is SIP and what is not, over UDP.

use super::bench::packet::{Udp, request};
use super::bench::{World, port};
use ringfence_core::class::Class;
use ringfence_core::packet::Link;
use ringfence_core::reason::Reason;

/// The reason and the class of a datagram's verdict.
fn judged(payload: &[u8]) -> (Reason, Option<Class>) {
    let frame = Udp::to(port::SIP).frame(payload);
    let verdict = World::new().verdict(Link::Ethernet, &frame);
    (verdict.reason(), Class::from_number(verdict.class))
}

#[test]
fn classes_of_methods() {
    let tag = "To: <sip:x@y>;tag=7\r\n";
    for (method, class, in_dialogue) in [
        ("REGISTER", Class::Register, Class::Register),
        ("register", Class::Register, Class::Register),
        ("rEgIsTeR", Class::Register, Class::Register),
        ("REGISTERS", Class::Other, Class::InDialogue),
        ("INVITE", Class::Invite, Class::InDialogue),
        ("invite", Class::Invite, Class::InDialogue),
        ("INVITED", Class::Other, Class::InDialogue),
        ("OPTIONS", Class::Options, Class::InDialogue),
        ("SUBSCRIBE", Class::Subscribe, Class::InDialogue),
        ("PUBLISH", Class::Publish, Class::InDialogue),
        ("MESSAGE", Class::Message, Class::InDialogue),
        ("REGISTER\t", Class::Register, Class::Register),
        ("invite\t", Class::Invite, Class::InDialogue),
        ("INVITE\u{1}", Class::Invite, Class::InDialogue),
        ("REGISTER\u{1}", Class::Register, Class::Register),
        ("ACK\u{e}", Class::Other, Class::InDialogue),
        ("CANCEL\t", Class::Other, Class::InDialogue),
        ("SIP\u{f}2.0", Class::Other, Class::InDialogue),
        ("ACK", Class::InDialogue, Class::InDialogue),
        ("CANCEL", Class::InDialogue, Class::InDialogue),
        ("BYE", Class::Other, Class::InDialogue),
        ("NOTIFY", Class::Other, Class::InDialogue),
        ("!odd-Method0_*+`.%'~", Class::Other, Class::InDialogue),
        ("RE%47ISTER", Class::Other, Class::InDialogue),
    ] {
        let text = request(method, "sip:x@y", "z9hG4bK1", "");
        assert_eq!(judged(&text), (Reason::Clean, Some(class)), "{method}");
        let text = String::from_utf8(text).unwrap();
        let text = text.replace("To: <sip:alice@192.0.2.1>\r\n", tag);
        assert_eq!(
            judged(text.as_bytes()),
            (Reason::Clean, Some(in_dialogue)),
            "{method} with a tag"
        );
    }
    let response = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\n\r\n";
    assert_eq!(judged(response), (Reason::Clean, Some(Class::Response)));
}

#[test]
fn tags_of_to() {
    let plain = Class::Invite;
    let dialogue = Class::InDialogue;
    for (to, class) in [
        ("To: <sip:x@y>;tag=1", dialogue),
        ("t:<sip:x@y>;tag=1", dialogue),
        ("TO   : sip:x@y ; tag = 1", dialogue),
        ("To\t: sip:x@y;tag=1", dialogue),
        ("To: <sip:x@y>;a;b=c;TAG=1", dialogue),
        ("To:\r\n <sip:x@y>\r\n ;tag=1", dialogue),
        ("To: \"a \\\" b\" <sip:x@y>;tag=1", dialogue),
        ("To: \"<>\" <sip:x@y>;tag=1", dialogue),
        ("To: <sip:x@y>", plain),
        ("To: <sip:x@y;tag=1>", plain),
        ("To: <sip:x@y>;tagged=1", plain),
        ("To: <sip:x@y>\r\nX: a;tag=1", plain),
        ("To: \"a;tag=1\" <sip:x@y>", plain),
        ("To: \"a>;tag=1\" <sip:x@y>", plain),
        ("To: \"a\\\">;tag=1\" <sip:x@y>", plain),
        ("To: \"\\\\\" <sip:x@y;tag=1>", plain),
        ("To: <sip:x@y>;a=\";tag=1\"", plain),
        ("To: <sip:x@y>;a=\"\\\";tag=1\"", plain),
        ("To: <sip:x@y>;a=\"b\";tag=1", dialogue),
        ("To: <sip:x@y>; tag = 1 ;a", dialogue),
        ("To: <sip:x@y>;tagged=;tag=1", dialogue),
        ("To: Bob Smith <sip:x@y;a?b=c&d=%20>;tag=1", dialogue),
        ("To: <sip:x@y>;tag=", plain),
        ("To: <sip:x@y>;tag= \t", plain),
        ("To: <sip:x@y>;tag=;a=1", plain),
        ("To: <sip:x@y>;tag=\"\"", plain),
        ("To: <sip:x@y>;tag", plain),
        ("To: <sip:x@y>;tag ;a", plain),
        ("To: <sip:x@y>;tag=1;tag=", plain),
        ("To: <sip:x@y>;tag=1;%74ag=", plain),
        ("To: <sip:x@y>;tag=1&t:<sip:x@y>", plain),
        ("To: <sip:x@y;a=\"b>;tag=1\">", plain),
        ("To: x \"a>;tag=1\" <sip:x@y>", plain),
        ("To: \"a\" \"b>;tag=1\" <sip:x@y>", plain),
        (
            "To:                                                   \"a>;tag=1\" <sip:x@y>",
            plain,
        ),
        ("To: <sip:x@y>;tag=1\r\nt: <sip:x@y>", plain),
        ("To              : <sip:x@y>\r\nTo: <sip:x@y>;tag=1", plain),
        ("To \t \t \t \t \t \t \t: <sip:x@y>;tag=1", dialogue),
        ("X To: <sip:x@y>\r\nTo : <sip:x@y>;tag=1", dialogue),
        ("To x: <sip:x@y>\r\nTo: <sip:x@y>;tag=1", dialogue),
        ("To: <sip:x@y>,<sip:x@z>;tag=1", plain),
        ("To: <sip:x@y>;a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s", plain),
    ] {
        let text = format!("INVITE sip:x@y SIP/2.0\r\n{to}\r\nFrom: <sip:a@b>;tag=2\r\n\r\n");
        assert_eq!(
            judged(text.as_bytes()),
            (Reason::Clean, Some(class)),
            "{to}"
        );
    }
}

#[test]
fn odd_but_sip() {
    for (what, text) in [
        (
            "bare line feeds",
            "REGISTER sip:a SIP/2.0\nTo: <sip:a@b>\n\n",
        ),
        (
            "blank lines before",
            "\r\n\r\n\r\nREGISTER sip:a SIP/2.0\r\nTo: <sip:a@b>\r\n\r\n",
        ),
        (
            "bare blank lines before",
            "\n\nREGISTER sip:a SIP/2.0\r\n\r\n",
        ),
        (
            "no end of headers",
            "REGISTER sip:a SIP/2.0\r\nTo: <sip:a@b>\r\n",
        ),
        (
            "no end of the last line",
            "REGISTER sip:a SIP/2.0\r\nTo: <sip:a@b>",
        ),
        ("a start line alone", "REGISTER sip:a SIP/2.0"),
        (
            "white space behind the version",
            "REGISTER sip:a SIP/2.0   \r\nTo: x\r\n\r\n",
        ),
        ("two spaces", "REGISTER  sip:a  SIP/2.0\r\nTo: x\r\n\r\n"),
        (
            "a space in the URI",
            "REGISTER sip:a b SIP/2.0\r\nTo: x\r\n\r\n",
        ),
        (
            "the version in small letters",
            "REGISTER sip:a sip/2.0\r\nTo: x\r\n\r\n",
        ),
        ("no header", "REGISTER sip:a SIP/2.0\r\n\r\n"),
        (
            "a header without a colon",
            "REGISTER sip:a SIP/2.0\r\nTo\r\n\r\n",
        ),
        ("a header of a colon", "REGISTER sip:a SIP/2.0\r\n:\r\n\r\n"),
        (
            "a line that goes on what is not there",
            "REGISTER sip:a SIP/2.0\r\n x\r\n\r\n",
        ),
        (
            "a tel URI",
            "INVITE tel:+4420 SIP/2.0\r\nTo: <tel:+4420>\r\n\r\n",
        ),
        (
            "an unknown scheme",
            "OPTIONS soap.beep://x:3002 SIP/2.0\r\n\r\n",
        ),
        (
            "a response without a reason",
            "SIP/2.0 100 \r\nVia: x\r\n\r\n",
        ),
        (
            "a reason in another script",
            "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e} \r\n\r\n",
        ),
    ] {
        assert_eq!(judged(text.as_bytes()).0, Reason::Clean, "{what}");
        let nul = text.replace("sip:a", "sip:%00a");
        assert_eq!(judged(nul.as_bytes()).0, Reason::Clean, "{what}");
    }
}

#[test]
fn keep_alives() {
    let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([5; 12]);
    for payload in [
        &b""[..],
        b"\0",
        b"a",
        b"jaK",
        b"abcd",
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"\0\0\0\0\0\0",
        b"\r\n\0\r\n",
        &[b'\n'; 64],
        &stun,
    ] {
        assert_eq!(
            judged(payload),
            (Reason::KeepAlive, Some(Class::KeepAlive)),
            "{payload:x?}"
        );
    }
    let mut attribute = stun.clone();
    attribute[3] = 8;
    attribute.extend([0; 8]);
    assert_eq!(judged(&attribute).0, Reason::KeepAlive);
    // The cookie alone does not open the way for text behind it.
    let mut message = stun.clone();
    message.extend(b"\r\nINVITE sip:a SIP/2.0\r\n\r\n");
    assert_ne!(judged(&message).0, Reason::KeepAlive);
    // Nor does a true length: a proxy takes the header for a method.
    let text = b" sip:a SIP/2.0\r\nv:SIP/2.0/UDP a\r\nt:<sip:a>\r\nCSeq:1 A\r\n\r\n";
    let mut message = stun[..8].to_vec();
    message.extend(text);
    message[3] = (message.len() - 20) as u8;
    assert_eq!(judged(&message).0, Reason::Malformed);
    stun[8..10].copy_from_slice(b"\n\n");
    assert_eq!(judged(&stun).0, Reason::KeepAlive);
    stun[5] = 0;
    assert_eq!(judged(&stun).0, Reason::Malformed);
}

#[test]
fn lines_that_servers_end_elsewhere() {
    let text = |line: &[u8]| {
        let parts: [&[u8]; 3] = [
            b"INVITE sip:x@y SIP/2.0\r\nTo: <sip:x@y>\r\n",
            line,
            b"\r\nFrom: <sip:a@b>;tag=2\r\n\r\nbody\r\0s=x\r\n",
        ];
        parts.concat()
    };
    for (line, reason) in [
        (&b"X: a"[..], Reason::Clean),
        (b"X: \"a\\\0b\"", Reason::Clean),
        (b"X: a\rUser-Agent: b", Reason::Malformed),
        (b"X: a\r", Reason::Malformed),
        (b"X: a\r\r", Reason::Malformed),
        (b"\rX: a", Reason::Malformed),
        (b"X: a\0b", Reason::Malformed),
        (b"X: \0", Reason::Malformed),
        (b"X: \\a\0", Reason::Malformed),
        (
            b"To                                      : x",
            Reason::Malformed,
        ),
    ] {
        // Wherever in the words of the window it lies.
        for fill in 0..80 {
            let line = [&[b'Y'; 80][..fill + 1], b": y\r\n", line].concat();
            assert_eq!(judged(&text(&line)).0, reason, "{fill} {line:?}");
        }
    }
    assert_eq!(
        judged(b"INVITE sip:x@y SIP/2.0\rTo: x SIP/2.0").0,
        Reason::Malformed
    );
    assert_eq!(judged(b"INVITE sip:x@y SIP/2.0\r").0, Reason::Clean);
}

#[test]
fn junk() {
    let random: Vec<u8> = (0..1000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80)
        .collect();
    for payload in [
        &b"hello"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"REGISTER sip:a SIP/3.0\r\n\r\n",
        b"REGISTER SIP/2.0\r\n\r\n",
        b"SIP/2.0\r\n\r\n",
        b"SIP/2.1 200 OK\r\n\r\n",
        b" REGISTER sip:a SIP/2.0\r\n\r\n",
        b"\0REGISTER sip:a SIP/2.0\r\n\r\n",
        b"<xml>sip:a SIP/2.0\r\n\r\n",
        b"\r\n\r\n\r\nx\r\n",
        &[b'\n'; 3000],
        &[b'A'; 3000],
        &random,
    ] {
        let seen = judged(payload);
        assert_eq!(
            seen,
            (Reason::Malformed, Some(Class::NotSip)),
            "{payload:x?}"
        );
    }
}

/// Messages with the features of the valid ones of RFC 4475, section 3.1.1.
#[test]
fn torture() {
    let mut binary = b"MESSAGE sip:k@example.org SIP/2.0\r\nTo: <sip:k@example.org>\r\nFrom: \
        <sip:f@example.org>;tag=2\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\nCall-ID: m1\r\nCSeq: 1 \
        MESSAGE\r\nContent-Type: multipart/mixed;boundary=7a\r\nl: 40\r\n\r\n--7a\r\n\r\n"
        .to_vec();
    binary.extend((0..=255).rev());
    let many = "X-Unknown-Header-With-A-Long-Name-Indeed: and a long value\r\n".repeat(15);
    let long_user = "a".repeat(500);
    for (what, text) in [
        (
            "white space and folding everywhere",
            "INVITE sip:v@c.example.org;unknownparam SIP/2.0\r\nTO :\r\n sip:v@c.example.org ;   \
             tag    = 1918n\r\nfrom   : \"J R \\\\\\\"\"       <sip:j@example.org>\r\n  ;\r\n  tag = \
             98a\r\nMaX-fOrWaRdS: 0068\r\nCall-ID: w.1\r\nContent-Length   : 0\r\ncseq: 0009\r\n  \
             INVITE\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390\r\ns :\r\nNew:   x\r\n \
             more\r\nU: ;;,,;;,;\r\nv:  SIP  / 2.0  / TCP     s.example.org   ;\r\n  branch  =   \
             z9hG4bK9  ,\r\n SIP  /    2.0   / UDP  192.0.2.3   ; branch=\r\n z9hG4bKk\r\nm:\"Q \\\"\\\"\" \
             <sip:j@example.org> ; newparam =\r\n      newvalue ;\r\n  q = 0.33\r\n\r\n"
                .as_bytes()
                .to_vec(),
        ),
        (
            "characters of tokens",
            "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/cr\
             azy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.org SIP/2.0\r\nVia: \
             SIP/2.0/UDP h.example.org;branch=z9hG4bK-.!%66*_+`'~\r\nTo: \"BEL:\\\x07 NUL:\\\0 \
             DEL:\\\x7f\" <sip:1_unusual@example.org>\r\nFrom: token1~` token2'+_ \
             <sip:m@example.org>;fromParam''~+*_!.-%=\"x;y\";tag=_t\r\nCall-ID: \
             i.-_~!%*()<>:\\/\"[]?{}\r\nCSeq: 1 !interesting-Method0123456789_*+`.%indeed'~\r\n\r\n"
                .as_bytes()
                .to_vec(),
        ),
        (
            "escapes",
            b"INVITE sip:sips%3Auser%40example.org@example.net SIP/2.0\r\nTo: \
              sip:%75se%72@example.org\r\nFrom: <sip:I%20have%20spaces@example.net>;tag=9\r\n\r\n"
                .to_vec(),
        ),
        (
            "escaped NULs",
            b"REGISTER sip:example.org SIP/2.0\r\nTo: sip:null-%00-null@example.org\r\nContact: \
              <sip:%00@h.example.org>\r\n\r\n"
                .to_vec(),
        ),
        (
            "an escaped method",
            b"RE%47IST%45R sip:registrar.example.org SIP/2.0\r\nTo: \"%Z%45\" \
              <sip:resource@example.org>\r\n\r\n"
                .to_vec(),
        ),
        (
            "no space before the angle",
            b"OPTIONS sip:user@example.org SIP/2.0\r\nFrom: caller<sip:c@example.org>;tag=3\r\n\r\n"
                .to_vec(),
        ),
        (
            "long values",
            format!(
                "INVITE sip:u@example.org SIP/2.0\r\nTo: \"{long_user}\" <sip:u:{long_user}@x>\r\n\
                 {many}f: <sip:a@b>\r\nv: SIP/2.0/TCP x;branch=z9hG4bK1\r\n\r\n"
            )
            .into_bytes(),
        ),
        (
            "two messages in a datagram",
            b"REGISTER sip:example.org SIP/2.0\r\nTo: sip:j@example.org\r\nContent-Length: \
              0\r\n\r\nINVITE sip:joe@example.org SIP/2.0\r\nt: sip:joe@example.org\r\n\r\n"
                .to_vec(),
        ),
        (
            "a semicolon in the user part",
            b"OPTIONS sip:user;par=u%40example.net@example.org SIP/2.0\r\nTo: \
              sip:j_user@example.org\r\n\r\n"
                .to_vec(),
        ),
        (
            "transports",
            b"OPTIONS sip:user@example.org SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: \
              SIP/2.0/SCTP b;branch=z9hG4bK2\r\nVia: SIP/2.0/UNKNOWN c;branch=z9hG4bK3\r\n\r\n"
                .to_vec(),
        ),
        ("a body of bytes", binary),
    ] {
        assert_eq!(judged(&text).0, Reason::Clean, "{what}");
    }
}
