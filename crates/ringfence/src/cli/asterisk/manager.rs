//! `ringfence asterisk manager`: the user of Asterisk's manager interface, with what it may do and why.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use crate::asterisk::ami::EVENT_MASK;
use crate::cli::{Format, Global, Usage, terminal};

/// The classes of actions that ours need (`manager show command NAME` tells them).
const WRITE: &str = "system,command";

/// Print a user for manager.conf that may do what Ringfence needs, and no more
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence asterisk manager\n  \
    ringfence asterisk manager --user fence >manager_fence.conf\n\n\
    Each run makes a fresh secret and keeps none.")]
pub struct Args {
    /// Name of the user
    #[arg(long, value_name = "NAME", default_value = "ringfence")]
    user: String,
}

/// Does it.
///
/// # Errors
/// When the name cannot be one, the kernel gives no random bytes, or the answer cannot be written.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let user = args.user;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if user.is_empty() || user.len() > 79 || !user.chars().all(plain) || user == "general" {
        let shown = user.escape_debug();
        return Err(Usage(format!(
            "`{shown}` cannot be a user of manager.conf; write letters, digits, \"-\", \"_\" and \".\" alone, and not \"general\""
        ))
        .into());
    }
    let secret = secret()?;
    let mut out = io::stdout().lock();
    if global.format == Format::Json {
        let answer = json!({
            "user": user, "secret": secret, "read": EVENT_MASK, "write": WRITE,
            "deny": DENY, "permit": PERMIT, "manager": section(&user, &secret),
            "ringfence": configuration(&user),
        });
        writeln!(out, "{}", terminal::json(&answer.to_string()))?;
    } else {
        write!(out, "{}", text(&user, &secret))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A user with a fresh secret, and what goes with it, as this command prints it.
///
/// # Errors
/// When the kernel gives no random bytes.
pub(in crate::cli) fn lines(user: &str) -> anyhow::Result<String> {
    Ok(text(user, &secret()?))
}

fn secret() -> anyhow::Result<String> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).context("the kernel gives no random bytes")?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where the secret is kept. Commands in a shell read it there as well, which they cannot with a credential of systemd.
const SECRET: &str = crate::setup::SECRET;
const DENY: [&str; 2] = ["0.0.0.0/0.0.0.0", "::/0"];
const PERMIT: [&str; 2] = ["127.0.0.1/255.255.255.255", "::1/128"];

/// All of it. What is not of manager.conf is a comment there, so that the whole can be its file.
fn text(user: &str, secret: &str) -> String {
    let configuration: String = configuration(user)
        .lines()
        .map(|line| format!(";   {line}\n"))
        .collect();
    format!(
        "; For /etc/asterisk/manager.conf (FreePBX: manager_custom.conf), below a [general] with enabled = yes.\n\
         ; Then: asterisk -rx \"manager reload\"\n\n{}\n\
         ; For /etc/ringfence/ringfence.toml:\n;\n{configuration};\n\
         ; And the secret, for root alone:\n;\n\
         ;   install -m 600 /dev/null {SECRET}\n\
         ;   echo {secret} >{SECRET}\n",
        section(user, secret)
    )
}

/// The section of manager.conf.
fn section(user: &str, secret: &str) -> String {
    let lines = |key: &str, values: [&str; 2]| -> String {
        values
            .iter()
            .map(|value| format!("{key} = {value}\n"))
            .collect()
    };
    let (deny, permit) = (lines("deny", DENY), lines("permit", PERMIT));
    format!(
        "[{user}]\nsecret = {secret}\n\
         ; From this machine alone.\n{deny}{permit}\
         ; Events that are sent. Without one of them:\n\
         ;   security  nothing is learned of logins, right or wrong\n\
         ;   system    no registrations, no start and shutdown of Asterisk\n\
         ;   call      no calls\n\
         ; Never dialplan or all: there, what a caller wrote can pass for an event.\n\
         read = {EVENT_MASK}\n\
         ; Actions that may be asked. Without one of them:\n\
         ;   system    no lists of contacts, peers and registrations (PJSIPShowContacts, PJSIPShowEndpoints,\n\
         ;             PJSIPShowRegistrationsOutbound, SIPpeers, IAXpeers), no calls that are up (CoreShowChannels), no version\n\
         ;             (CoreSettings), no forgetting of a registration (DBDel), no end of a call (Hangup), and no help of\n\
         ;             Asterisk against forged events (Filter)\n\
         ;   command   no answers of Asterisk's command line (Command). It can run anything that the command line\n\
         ;             can: leave it out where the rest is enough\n\
         ; Login, Ping and Events need no class. reporting and call are not needed: system covers what they would allow.\n\
         write = {WRITE}\n\
         ; A reader that is slow for a moment is not cut off.\n\
         writetimeout = 1000\n"
    )
}

/// The section of ringfence.toml.
fn configuration(user: &str) -> String {
    format!("[asterisk]\nami = \"127.0.0.1:5038\"\nuser = \"{user}\"\nsecret_file = \"{SECRET}\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_section_for_ringfence_is_sound() {
        let config = Config::parse(&configuration("fence"), "r.toml").unwrap();
        assert_eq!(config.asterisk.unwrap().user, "fence");
        // `ringfence audit` is asked in a shell, where there are no credentials of systemd.
        let text = text("fence", "0123abcd");
        assert!(text.contains("secret_file = \"/etc/ringfence/ami.secret\"\n"));
        assert!(text.contains("echo 0123abcd >/etc/ringfence/ami.secret\n"));
        assert!(!text.contains("systemctl"), "{text}");
    }

    #[test]
    fn what_is_printed_can_be_a_file_of_asterisk() {
        let text = text("fence", "0123abcd");
        assert!(
            text.lines().all(|line| line.chars().count() <= 120),
            "{text}"
        );
        let settings: Vec<&str> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(';'))
            .collect();
        assert_eq!(
            settings,
            [
                "[fence]",
                "secret = 0123abcd",
                "deny = 0.0.0.0/0.0.0.0",
                "deny = ::/0",
                "permit = 127.0.0.1/255.255.255.255",
                "permit = ::1/128",
                "read = system,security,call",
                "write = system,command",
                "writetimeout = 1000",
            ]
        );
    }
}
