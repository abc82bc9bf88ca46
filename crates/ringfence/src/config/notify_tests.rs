//! What `[notify]` says, and what is wrong with it.

use std::time::Duration;

use super::*;

fn read(text: &str) -> Notify {
    Config::parse(text, "r.toml")
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
        .notify
}

fn mistake(text: &str) -> String {
    let mistakes = Config::parse(text, "r.toml").expect_err(text);
    assert_eq!(mistakes.iter().len(), 1, "{text}\n{mistakes}");
    mistakes.to_string()
}

#[test]
fn one_line_is_enough_for_mail() {
    let notify = read("[notify.mail]\nto = [\"admin@example.com\", \"root\", \"root\"]");
    assert_eq!((notify.most, notify.kinds.len()), (12, 8));
    assert_eq!(notify.digest, Duration::from_secs(3600));
    let mail = notify.mail.unwrap();
    let to: Vec<String> = mail.to.iter().map(ToString::to_string).collect();
    assert_eq!(to, ["admin@example.com", "root@localhost"]);
    assert_eq!(mail.server.to_string(), "localhost:25");
    assert_eq!(
        (mail.tls, mail.login, mail.from),
        (MailTls::None, None, None)
    );
    assert_eq!(read(""), Notify::default());
}

#[test]
fn the_server_says_how_it_is_secured() {
    for (server, host, port, tls) in [
        ("localhost", "localhost", 25, MailTls::None),
        ("127.0.0.1:2525", "127.0.0.1", 2525, MailTls::None),
        ("::1", "::1", 25, MailTls::None),
        ("[::1]:25", "::1", 25, MailTls::None),
        (
            "Mail.Example.com",
            "mail.example.com",
            587,
            MailTls::StartTls,
        ),
        (
            "mail.example.com:25",
            "mail.example.com",
            25,
            MailTls::StartTls,
        ),
        (
            "mail.example.com:465",
            "mail.example.com",
            465,
            MailTls::Tls,
        ),
        (
            "smtps://mail.example.com/",
            "mail.example.com",
            465,
            MailTls::Tls,
        ),
        (
            "smtp://mail.example.com:26",
            "mail.example.com",
            26,
            MailTls::StartTls,
        ),
        ("[2001:db8::5]", "2001:db8::5", 587, MailTls::StartTls),
    ] {
        let text = format!("[notify.mail]\nto = [\"a@example.com\"]\nserver = \"{server}\"");
        let mail = read(&text).mail.unwrap();
        let expected = MailServer {
            host: host.to_owned(),
            port,
        };
        assert_eq!((mail.server, mail.tls), (expected, tls), "{server}");
    }
}

#[test]
fn all_ways_are_read_and_no_secret_is_shown() {
    let notify = read(
        "[notify]\nmost = 3\ndigest = \"10m\"\nkinds = [\"fraud\", \"ban\", \"fraud\"]\n\
         [notify.mail]\nto = [\"a@example.com\"]\nfrom = \"b@example.com\"\n\
         server = \"smtps://mail.example.com\"\nuser = \"u\"\npassword = \"hush-mail\"\n\
         [notify.webhook]\nurl = \"https://example.com:444/hush-path?hush\"\n\
         headers = [\"Authorization: Bearer hush-token\"]\nsecret_file = \"/etc/key\"\nca = \"/etc/ca\"\n\
         [notify.command]\nrun = [\"/bin/tell\", \"--urgent\", \"\"]\n",
    );
    assert_eq!(notify.kinds, [NoticeKind::Fraud, NoticeKind::Ban]);
    assert_eq!((notify.most, notify.digest), (3, Duration::from_secs(600)));
    let webhook = notify.webhook.as_ref().unwrap();
    assert_eq!(
        webhook.url.expose(),
        "https://example.com:444/hush-path?hush"
    );
    assert_eq!(webhook.url.to_string(), "https://example.com:444");
    assert_eq!(webhook.headers[0].name, "authorization");
    assert_eq!(webhook.headers[0].value.expose(), "Bearer hush-token");
    assert_eq!(webhook.secret, Some(SecretFrom::File("/etc/key".into())));
    assert_eq!(notify.command.as_ref().unwrap().run.len(), 3);
    let (user, password) = notify.mail.as_ref().unwrap().login.as_ref().unwrap();
    assert_eq!(user, "u");
    assert_eq!(password.read().unwrap().expose(), "hush-mail");
    assert!(!format!("{notify:?}").contains("hush"), "{notify:?}");
}

#[test]
fn a_mistake_names_its_place_and_the_cure() {
    let mail = |keys: &str| format!("[notify.mail]\nto = [\"a@example.com\"]\n{keys}");
    let hook = |keys: &str| format!("[notify.webhook]\nurl = \"https://a.example/\"\n{keys}");
    for (text, expected) in [
        ("[notify]\nmost = 0".to_owned(), "from 1 to 1000"),
        ("[notify]\ndigest = \"30s\"".into(), "from \"1m\" to \"1d\""),
        (
            "[notify]\nkinds = []".into(),
            "is empty; write at least one",
        ),
        (
            "[notify]\nkinds = [\"bans\"]".into(),
            "did you mean \"ban\"?",
        ),
        (
            "[notify]\nmail = \"a@example.com\"".into(),
            "write mail = { ... }",
        ),
        ("[notify.mail]".into(), "has no `to`; add to ="),
        ("[notify.mail]\nto = []".into(), "is empty"),
        (
            "[notify.mail]\nto = \"a@example.com\"".into(),
            "write to = [\"a@example.com\"]",
        ),
        (
            "[notify.mail]\nto = [\"a b@example.com\"]".into(),
            "2:7: `to`: `a b@example.com` is no address of e-mail",
        ),
        (
            "[notify.mail]\nto = [\"a@example.com\\r\\nBcc: x@example.com\"]".into(),
            "is no address of e-mail",
        ),
        (mail("tls = \"ssl\""), "write \"none\""),
        (mail("server = \"mail.example.com:0\""), "no port from 1"),
        (
            mail("server = \"http://mail.example.com\""),
            "another scheme",
        ),
        (
            mail("server = \"smtp://u:p@mail.example.com\""),
            "as the key `user`",
        ),
        (mail("server = \"*.example.com\""), "no single host"),
        (
            mail("server = \"smtps://mail.example.com\"\ntls = \"none\""),
            "leave one of the two out",
        ),
        (mail("user = \"u\""), "has a `user` and no password"),
        (mail("password = \"p\""), "has no `user`"),
        (
            mail("user = \"u\"\npassword = \"p\"\npassword_file = \"/p\""),
            "`password` and `password_file` name the same secret",
        ),
        (
            mail("user = \"u\"\npassword = \"p\"\nserver = \"mail.example.com\"\ntls = \"none\""),
            "in clear text; write tls = \"starttls\"",
        ),
        (
            mail("user = \"u\"\npassword_env = \"A-B\""),
            "not the name of a variable",
        ),
        (
            mail("user = \"u\"\npassword_credential = \"../x\""),
            "not the name of a credential",
        ),
        ("[notify.webhook]".into(), "has no `url`"),
        (
            "[notify.webhook]\nurl = \"ftp://a.example/\"".into(),
            "does not begin with https://",
        ),
        (
            "[notify.webhook]\nurl = \"https://u:p@a.example/\"".into(),
            "a user stands in the URL",
        ),
        (
            hook("headers = [\"Host: b\"]"),
            "written by Ringfence; leave it out",
        ),
        (hook("headers = [\"X\"]"), "has no colon"),
        (
            hook("headers = [\"X: a\\r\\nY: b\"]"),
            "a byte that none may have",
        ),
        ("[notify.command]".into(), "has no `run`"),
        (
            "[notify.command]\nrun = [\"tell\"]".into(),
            "not an absolute path",
        ),
        (
            "[notify.command]\nrun = \"/bin/tell\"".into(),
            "write run = [\"/bin/tell\"]",
        ),
    ] {
        let shown = mistake(&text);
        assert!(shown.contains(expected), "{text}\n{shown}");
    }
}

#[test]
fn a_mistake_quotes_no_secret() {
    for keys in [
        "password_env = \"hush hush\"",
        "password_file = \"hush hush\"",
        "password_credential = \"hush/hush\"",
        "password = \"hush\\nhush\"",
    ] {
        let text = format!("[notify.mail]\nto = [\"a@example.com\"]\nuser = \"u\"\n{keys}");
        assert!(!mistake(&text).contains("hush"), "{text}");
    }
    for keys in [
        "url = \"hush hush\"",
        "url = \"https://a.example/hush\\u0001\"",
        "url = \"https://hush:hush@a.example/\"",
        "url = \"https://a.example/\"\nheaders = [\"Authorization: hush\\u0001\"]",
        "url = \"https://a.example/\"\nheaders = [\"hush hush\"]",
    ] {
        let text = format!("[notify.webhook]\n{keys}");
        assert!(!mistake(&text).contains("hush"), "{text}");
    }
}
