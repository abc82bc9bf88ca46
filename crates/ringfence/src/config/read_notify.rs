//! Reads who is told of what: `[notify]` and the tables below it.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use lettre::Address;

use super::keys::{NOTIFY, NOTIFY_COMMAND, NOTIFY_MAIL, NOTIFY_WEBHOOK};
use super::name::Domain;
use super::notify::{
    MailServer, MailTls, Notify, NotifyCommand, NotifyMail, NotifyWebhook, is_local,
};
use super::read::{path, require_entries};
use super::read_secret::secret;
use super::read_trust::{period, refuse_beyond};
use super::reader::{Item, Reader, Section};
use super::web::HeaderLine;
use super::wrong::{Wrong, quoted};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// Recipients and header fields.
const MOST: usize = 16;
/// Words of a command.
const MOST_WORDS: usize = 64;

/// Reads `[notify]`, where the file has it.
pub(super) fn notify(reader: &mut Reader<'_>, top: &Section<'_>) -> Notify {
    let mut notify = Notify::default();
    let Some(table) = top.get("notify").and_then(|i| reader.table(&NOTIFY, i)) else {
        return notify;
    };
    if let Some(most) = table.get("most").and_then(|i| reader.number(i, 1..=1000)) {
        notify.most = most;
    }
    if let Some(item) = table.get("digest")
        && let Some(time) = period(reader, item, MINUTE..=DAY)
    {
        notify.digest = time;
    }
    if let Some(item) = table.get("kinds") {
        notify.kinds.clear();
        for entry in reader.list(item) {
            let kind = reader.word(entry);
            notify
                .kinds
                .extend(kind.filter(|kind| !notify.kinds.contains(kind)));
        }
        require_entries(reader, &table, "kinds", "kinds = [\"ban\"]");
    }
    let mut below = |key, schema| table.get(key).and_then(|i| reader.table(schema, i));
    let (of_mail, of_webhook, of_command) = (
        below("mail", &NOTIFY_MAIL),
        below("webhook", &NOTIFY_WEBHOOK),
        below("command", &NOTIFY_COMMAND),
    );
    notify.mail = of_mail.and_then(|table| mail(reader, &table));
    notify.webhook = of_webhook.and_then(|table| webhook(reader, &table));
    notify.command = of_command.and_then(|table| command(reader, &table));
    notify
}

/// An address of e-mail; a name alone is a mailbox of this host.
struct Mailbox(Address);

impl FromStr for Mailbox {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let whole = match text.contains('@') {
            true => text.to_owned(),
            false => format!("{text}@localhost"),
        };
        whole.parse().map(Self).map_err(|_| {
            Wrong::new(
                format!("{} is no address of e-mail", quoted(text)),
                "write the address alone, such as \"admin@example.com\"",
            )
        })
    }
}

fn mail(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<NotifyMail> {
    let mut to: Vec<Address> = Vec::new();
    if let Some(item) = table.get("to") {
        let entries = reader.parsed_list::<Mailbox>(item);
        let places = entries.iter().map(|(_, at)| *at);
        refuse_beyond(
            reader,
            places,
            MOST,
            "recipients",
            "write the address of a list",
        );
        for (Mailbox(address), _) in entries {
            if !to.contains(&address) {
                to.push(address);
            }
        }
    }
    require_entries(reader, table, "to", "to = [\"admin@example.com\"]");
    let from = table.get("from").and_then(|i| reader.parsed(i));
    let tls: Option<MailTls> = table.get("tls").and_then(|i| reader.word(i));
    let written = table
        .get("server")
        .and_then(|i| Some((i, reader.parsed(i)?)));
    let (server, tls) = server(reader, written, tls);
    let password = secret(
        reader,
        table,
        [
            "password",
            "password_env",
            "password_credential",
            "password_file",
        ],
    );
    let user = table.get("user").and_then(|i| Some((i, line(reader, i)?)));
    let login = login(reader, table, user, password);
    if let (Some((at, ..)), MailTls::None) = (&login, tls)
        && !server.is_local()
    {
        let message = "the password would go to the mail server in clear text";
        reader.refuse(
            *at,
            Wrong::new(message, "write tls = \"starttls\" or \"tls\""),
        );
    }
    Some(NotifyMail {
        to,
        from: from.map(|Mailbox(address)| address),
        server,
        tls,
        login: login.map(|(_, user, password)| (user, password)),
        ca: table.get("ca").and_then(|i| path(reader, i)),
    })
}

/// A user needs a password and a password a user; with the place of the user.
fn login(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    user: Option<(Item<'_>, String)>,
    password: Option<super::SecretFrom>,
) -> Option<(usize, String, super::SecretFrom)> {
    match (user, password) {
        (Some((item, user)), Some(password)) => Some((item.at, user, password)),
        (Some((item, _)), None) => {
            let keys = [
                "password",
                "password_env",
                "password_credential",
                "password_file",
            ];
            if keys.into_iter().all(|key| table.get(key).is_none()) {
                let message = format!("{} has a `user` and no password", table.title());
                let fix =
                    "add password_file = \"/etc/ringfence/mail.password\", or take `user` out";
                reader.miss(item.at, Wrong::new(message, fix));
            }
            None
        }
        (None, Some(_)) if table.get("user").is_none() => {
            reader.miss_key(table, "user", "user = \"the name at the mail server\"");
            None
        }
        (None, _) => None,
    }
}

/// A server as it is written: the scheme may say how it is secured.
struct Written {
    tls: Option<MailTls>,
    host: String,
    port: Option<u16>,
}

impl FromStr for Written {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| {
            Wrong::new(
                format!("{} {why}", quoted(text)),
                "write a host and a port, such as \"localhost:25\" or \"smtps://mail.example.com\"",
            )
        };
        if text.contains('@') {
            return Err(Wrong::new(
                "a user stands in the name of the server",
                "write it as the key `user`, and the password as `password_file`",
            ));
        }
        let (tls, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("smtp", rest)) => (None, rest),
            Some(("smtps", rest)) => (Some(MailTls::Tls), rest),
            Some(_) => return Err(wrong("is of another scheme than smtp or smtps")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            _ if rest.parse::<IpAddr>().is_ok() => (rest, None),
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            None => None,
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Some(port),
                _ => return Err(wrong("has no port from 1 to 65535 behind its colon")),
            },
        };
        let host = match host.parse::<Domain>()? {
            Domain::Name(name) => name,
            Domain::Address(address) => address.to_string(),
            Domain::Below(_) => return Err(wrong("is no single host")),
        };
        Ok(Self { tls, host, port })
    }
}

/// The server, and how it is secured where neither scheme nor `tls` says: by its port and place.
fn server(
    reader: &mut Reader<'_>,
    written: Option<(Item<'_>, Written)>,
    tls: Option<MailTls>,
) -> (MailServer, MailTls) {
    let (item, written) = match written {
        Some((item, written)) => (Some(item), written),
        None => (
            None,
            Written {
                tls: None,
                host: "localhost".into(),
                port: None,
            },
        ),
    };
    if let (Some(item), Some(scheme), Some(key)) = (item, written.tls, tls)
        && scheme != key
    {
        let message = format!("`server` begins with smtps:// and `tls` is \"{key}\"");
        reader.refuse(item.at, Wrong::new(message, "leave one of the two out"));
    }
    let tls = tls.or(written.tls).unwrap_or_else(|| {
        let local = is_local(&written.host);
        match written.port {
            Some(465) => MailTls::Tls,
            _ if local => MailTls::None,
            _ => MailTls::StartTls,
        }
    });
    let port = written.port.unwrap_or(match tls {
        MailTls::None => 25,
        MailTls::StartTls => 587,
        MailTls::Tls => 465,
    });
    let host = written.host;
    (MailServer { host, port }, tls)
}

fn webhook(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<NotifyWebhook> {
    let url = match table.get("url") {
        Some(item) => reader.parsed(item),
        None => {
            let example = "url = \"https://hooks.example.com/ringfence\"";
            reader.miss_key(table, "url", example);
            None
        }
    };
    let headers: Vec<(HeaderLine, usize)> = match table.get("headers") {
        Some(item) => reader.parsed_list(item),
        None => Vec::new(),
    };
    let places = headers.iter().map(|(_, at)| *at);
    refuse_beyond(reader, places, MOST, "header fields", "leave some out");
    let keys = ["secret", "secret_env", "secret_credential", "secret_file"];
    let secret = secret(reader, table, keys);
    let ca = table.get("ca").and_then(|i| path(reader, i));
    Some(NotifyWebhook {
        url: url?,
        headers: headers.into_iter().map(|(line, _)| line).collect(),
        secret,
        ca,
    })
}

fn command(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<NotifyCommand> {
    const EXAMPLE: &str = "run = [\"/usr/local/bin/tell\", \"--urgent\"]";
    require_entries(reader, table, "run", EXAMPLE);
    let entries = reader.list(table.get("run")?);
    let places = entries.iter().map(|entry| entry.at);
    refuse_beyond(
        reader,
        places,
        MOST_WORDS,
        "words of a command",
        "write a script",
    );
    let mut run = Vec::new();
    for (place, entry) in entries.into_iter().enumerate() {
        let word = reader.text(entry)?;
        if word.contains('\0') {
            let message = format!("`run`: {} has a NUL in it", quoted(word));
            reader.refuse(entry.at, Wrong::new(message, "write it without"));
        }
        if place == 0 && !word.starts_with('/') {
            let message = format!("`run`: {} is not an absolute path", quoted(word));
            let fix =
                "write the program from the root on, starting with \"/\"; no shell looks for it";
            reader.refuse(entry.at, Wrong::new(message, fix));
        }
        run.push(word.to_owned());
    }
    (!run.is_empty()).then_some(NotifyCommand { run })
}

/// One line of text, not empty.
fn line(reader: &mut Reader<'_>, item: Item<'_>) -> Option<String> {
    let text = reader.text(item)?;
    let fits = !text.is_empty() && text.len() <= 256 && !text.contains(char::is_control);
    let checked = fits.then(|| text.to_owned()).ok_or_else(|| {
        Wrong::new(
            format!("{} is not one line of at most 256 bytes", quoted(text)),
            "write it on one line",
        )
    });
    reader.keep(item, checked)
}
