//! Notices by e-mail (RFC 5321, RFC 5322).

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::letter::Letter;
use super::way::Undelivered;
use crate::config::{MailTls, NotifyMail};

/// How long the server may take for one answer, and for all of them.
const ANSWER: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(50);

/// Mail, by one server.
#[derive(Debug)]
pub(super) struct MailWay {
    config: NotifyMail,
    from: Address,
    hello: ClientId,
}

impl MailWay {
    pub(super) fn new(config: NotifyMail, host: &str) -> Self {
        // The name of a host may be no domain; mail has to come from somewhere all the same.
        let sender = |host: &str| format!("ringfence@{host}").parse::<Address>().ok();
        let own = sender(host).or_else(|| sender("localhost"));
        let from = config.from.clone().or_else(|| own.clone());
        let domain = own.map_or_else(|| "localhost".into(), |own| own.domain().to_owned());
        Self {
            from: from.unwrap_or_else(|| Address::new_dangerous("ringfence", "localhost")),
            hello: ClientId::Domain(domain),
            config,
        }
    }

    pub(super) fn name(&self) -> String {
        let to: Vec<String> = self.config.to.iter().map(ToString::to_string).collect();
        format!("mail to {} by {}", to.join(", "), self.config.server)
    }

    /// Sends a letter to all recipients, or on an error to none.
    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), Undelivered> {
        let message = self.message(letter)?;
        let server = self.server()?;
        match tokio::time::timeout(WHOLE, server.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let why = format!("{}: {error}", self.config.server);
                // What the server refuses with 5xx (RFC 5321, section 4.2.1) it refuses again.
                Err(match error.is_permanent() || error.is_client() {
                    true => Undelivered::for_good(why),
                    false => Undelivered::for_now(why),
                })
            }
            Err(_) => {
                let server = &self.config.server;
                let why = format!("{server}: not done within {} s", WHOLE.as_secs());
                Err(Undelivered::for_now(why))
            }
        }
    }

    fn server(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Undelivered> {
        let server = &self.config.server;
        let tls = match self.config.tls {
            MailTls::None => Tls::None,
            MailTls::StartTls => Tls::Required(self.tls()?),
            MailTls::Tls => Tls::Wrapper(self.tls()?),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .hello_name(self.hello.clone())
            .timeout(Some(ANSWER))
            .tls(tls);
        let builder = match &self.config.login {
            None => builder,
            Some((user, password)) => {
                let unread = |error| Undelivered::for_good(format!("the password: {error}"));
                let password = password.read().map_err(unread)?;
                let password = password.expose().to_owned();
                builder.credentials(Credentials::new(user.clone(), password))
            }
        };
        Ok(builder.build())
    }

    fn tls(&self) -> Result<TlsParameters, Undelivered> {
        let mut builder = TlsParameters::builder(self.config.server.host.clone());
        if let Some(path) = &self.config.ca {
            let wrong = |why: String| {
                let path = path.display();
                Undelivered::for_good(format!("`ca` of [notify.mail]: {path}: {why}"))
            };
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let certificate = Certificate::from_pem(&pem).map_err(|e| wrong(e.to_string()))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder
            .build()
            .map_err(|error| Undelivered::for_good(error.to_string()))
    }

    fn message(&self, letter: &Letter) -> Result<Message, Undelivered> {
        let from = Mailbox::new(Some("Ringfence".into()), self.from.clone());
        let now = SystemTime::now();
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let (moment, process) = (since.as_nanos(), std::process::id());
        let id = format!("<{moment:x}.{process:x}@{}>", self.from.domain());
        let mut builder = Message::builder()
            .from(from)
            .subject(&letter.subject)
            .date(now)
            .message_id(Some(id))
            .header(AutoSubmitted)
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        for to in &self.config.to {
            builder = builder.to(Mailbox::new(None, to.clone()));
        }
        let built = builder.body(letter.body.replace('\n', "\r\n"));
        built.map_err(|error| Undelivered::for_good(error.to_string()))
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834): nobody's holiday notice answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, NoticeKind};
    use crate::notify::Notice;
    use crate::notify::pace::Item;

    fn way(host: &str) -> MailWay {
        let config = Config::parse("[notify.mail]\nto = [\"a@example.com\", \"root\"]", "x");
        MailWay::new(config.unwrap().notify.mail.unwrap(), host)
    }

    /// The names of the header fields of a mail, each of which begins a line, and its body.
    fn fields(mail: &str) -> (Vec<String>, String) {
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        let lines = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']));
        let names = lines.map(|line| line.split_once(": ").unwrap().0.to_owned());
        (names.collect(), body.to_owned())
    }

    fn sorted(mut names: Vec<String>) -> Vec<String> {
        names.sort();
        names
    }

    #[test]
    fn a_mail_is_plain_and_says_that_a_machine_wrote_it() {
        let notice = Notice::new(NoticeKind::Ban, "banned 203.0.113.5 (failures)").text("why");
        let letter = Letter::new(&Item::One(Arc::new(notice)), "pbx.example.com");
        let mail = way("pbx.example.com").message(&letter).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        for line in [
            "From: Ringfence <ringfence@pbx.example.com>\r\n",
            "To: a@example.com, root@localhost\r\n",
            "Subject: [ringfence pbx.example.com] banned 203.0.113.5 (failures)\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "\r\nwhy\r\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_host_name_that_is_no_domain_sends_too() {
        for host in ["", "my host", "under_score-", "a\r\nb", "ü"] {
            let from = way(host).from.to_string();
            assert!(
                from.starts_with("ringfence@") && !from.contains(char::is_whitespace),
                "{from}"
            );
        }
    }

    proptest! {
        /// Whatever strangers are called: the header has the fields of every mail and no other.
        #[test]
        fn no_header_can_be_injected(
            name in prop_oneof![any::<String>(), "[a\r\n:\t =?<>é\u{1b}]{0,400}", ".{0,200}(\r\nBcc: x@example.com){1,3}"],
        ) {
            let notice = Notice::new(NoticeKind::Forged, &name).text(&name).undo(&name);
            let letter = Letter::new(&Item::One(Arc::new(notice)), &name);
            let mail = way("pbx").message(&letter).unwrap();
            let text = String::from_utf8(mail.formatted()).unwrap();
            let (names, _) = fields(&text);
            prop_assert_eq!(sorted(names), [
                "Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version",
                "Message-ID", "Subject", "To",
            ].map(str::to_owned), "{}", text);
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\u{1b}', '\0']), "{}", text);
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 998), "{}", text);
            let to: Vec<String> = mail.envelope().to().iter().map(ToString::to_string).collect();
            prop_assert_eq!(to, ["a@example.com", "root@localhost"]);
        }
    }
}
