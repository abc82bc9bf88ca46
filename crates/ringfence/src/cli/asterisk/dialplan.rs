//! `ringfence asterisk dialplan`: a context that asks Ringfence about callers, ready to be included.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::str::FromStr;

use crate::cli::{Global, offline};
use crate::config::{Agi, User};

/// Print a dial plan that asks Ringfence about callers.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence asterisk dialplan \
    >/etc/asterisk/extensions_ringfence.conf\n  \
    ringfence asterisk dialplan --freepbx\n  \
    ringfence asterisk dialplan --announce custom/not-here\n\n\
    The output says where to put it. It needs [agi] in the configuration. While Ringfence is down,\n\
    every call goes on.")]
pub struct Args {
    /// For FreePBX 15 to 17: hooked into its blacklist check
    #[arg(long)]
    freepbx: bool,
    /// Sound that strangers hear before they are hung up, without extension
    #[arg(long, value_name = "FILE")]
    announce: Option<Sound>,
    /// Where the FastAGI server listens [default: as configured]
    #[arg(long, value_name = "ADDR")]
    listen: Option<Place>,
}

/// A sound as Playback takes it: a path below the sounds directory or from the root on, without extension.
#[derive(Debug, Clone)]
struct Sound(String);

impl FromStr for Sound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let extensions = [
            "wav", "wav16", "gsm", "ulaw", "alaw", "g722", "sln", "sln16", "mp3",
        ];
        if let Some((bare, extension)) = text.rsplit_once('.')
            && extensions.contains(&extension)
        {
            return Err(format!(
                "Asterisk finds the format itself; write \"{bare}\""
            ));
        }
        let fits = !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_./&".contains(&b));
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err("the name of a sound has letters, digits and \"-_./\", and \"&\" between two".into())
    }
}

/// An address with a port or without one.
#[derive(Debug, Clone, Copy)]
struct Place(SocketAddr);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(socket) = text.parse() {
            return Ok(Self(socket));
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        match bare.unwrap_or(text).parse::<IpAddr>() {
            Ok(address) => Ok(Self((address, Agi::default().listen.port()).into())),
            Err(_) => Err("write an address such as 127.0.0.1 or 127.0.0.1:4573".into()),
        }
    }
}

/// Prints it.
///
/// # Errors
/// When the configuration has mistakes, or the answer cannot be written.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let configured = config.agi.unwrap_or_default().listen;
    let listen = args.listen.map_or(configured, |place| place.0);
    let text = plan(&Plan {
        freepbx: args.freepbx,
        announce: args.announce.as_ref().map(|sound| sound.0.as_str()),
        listen,
        emergency: &config.emergency,
    });
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

struct Plan<'p> {
    freepbx: bool,
    announce: Option<&'p str>,
    listen: SocketAddr,
    emergency: &'p [User],
}

/// The whole output.
fn plan(plan: &Plan<'_>) -> String {
    let check = check(plan);
    if plan.freepbx {
        format!("{FREEPBX_HEAD}\n{check}\n{FREEPBX}")
    } else {
        format!("{HEAD}\n{check}")
    }
}

/// `[ringfence]`: the subroutine.
fn check(plan: &Plan<'_>) -> String {
    let mut text = String::from(
        "[ringfence]\n\
         exten => s,1,Set(LOCAL(number)=${FILTER(0-9a-zA-Z,${ARG1})})\n",
    );
    for user in plan.emergency {
        let number: String = user
            .as_str()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        if !number.is_empty() {
            text += &format!(
                " same => n,GotoIf($[\"${{LOCAL(number)}}\" = \"{number}\"]?goon) ; emergency\n"
            );
        }
    }
    text += &format!(
        " same => n,Set(RINGFENCE_VERDICT=)\n \
         same => n,AGI({})\n\
         ; Ringfence is down, or cannot tell: the call goes on.\n \
         same => n,GotoIf($[\"${{AGISTATUS}}\" = \"FAILURE\"]?goon)\n \
         same => n,GotoIf($[\"${{RINGFENCE_VERDICT}}\" = \"stranger\"]?stranger)\n \
         same => n(goon),Return()\n \
         same => n(stranger),Verbose(1,Ringfence: ${{CHANNEL(name)}} is a stranger: ${{RINGFENCE_REASON}})\n",
        url(plan.listen)
    );
    if let Some(sound) = plan.announce {
        text += &format!(" same => n,Progress()\n same => n,Playback({sound},noanswer)\n");
    }
    text + " same => n,Hangup(21)\n"
}

/// Where Asterisk finds the server.
fn url(listen: SocketAddr) -> String {
    let host = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let place = SocketAddr::new(host, listen.port());
    if listen.port() == Agi::default().listen.port() {
        // It is the port of agi://.
        let text = place.to_string();
        let host = text
            .rsplit_once(':')
            .map_or(text.as_str(), |(host, _)| host);
        return format!("agi://{host}/lookup");
    }
    format!("agi://{place}/lookup")
}

const HEAD: &str = r"; Ringfence: who calls is looked up before the call is answered. Strangers are hung up unanswered.
;
; 1. Save this as /etc/asterisk/extensions_ringfence.conf
; 2. At the end of /etc/asterisk/extensions.conf:
;      #include extensions_ringfence.conf
; 3. In the contexts where calls from outside begin, first of all:
;      exten => _X.,1,Gosub(ringfence,s,1(${EXTEN}))
;       same => n,...
; 4. asterisk -rx 'dialplan reload'
;
; It needs [agi] in ringfence.toml. Emergency numbers are not looked up. The caller's address is the channel's own
; (CHANNEL(pjsip,remote_addr)); with `names` in [agi], a host in From that is not the caller's makes a stranger. Both are
; asked for by Ringfence. To hand them over yourself, where a channel has neither:
;   AGI(agi://127.0.0.1/lookup,${CHANNEL(pjsip,remote_addr)},${PJSIP_HEADER(read,From)})
; Set for your own use: RINGFENCE_VERDICT (ok, stranger or empty), RINGFENCE_REASON, RINGFENCE_COUNTRY,
; RINGFENCE_COUNTRY_NAME, STRANGER (true or false).
";

const FREEPBX_HEAD: &str = r"; Ringfence in FreePBX 15 to 17: who calls is looked up before the blacklist is. Strangers are hung up unanswered.
;
; 1. Put this into /etc/asterisk/extensions_override_freepbx.conf (in the GUI: Admin, Config Edit)
; 2. fwconsole reload
; 3. asterisk -rx 'dialplan show app-blacklist-check'   must begin with Gosub(ringfence,s,1)
;
; It needs [agi] in ringfence.toml, and the module Blacklist: its check runs on every inbound route. A reload warns that
; priorities of app-blacklist-check are already in use: those are the stock ones, which this file stands in for.
";

const FREEPBX: &str = r#"; The stock check of the module Blacklist, behind the lookup. It has to stay as long as the stock one, so that no
; priority of that is left over.
[app-blacklist-check]
include => app-blacklist-check-custom
exten => s,1,Gosub(ringfence,s,1)
 same => n,GotoIf($["${CALLERID(number)}" = "Unknown"]?check-blocked)
 same => n,GotoIf($["${CALLERID(number)}" = "Unavailable"]?check-blocked)
 same => n,GotoIf($["foo${CALLERID(number)}" = "foo"]?check-blocked:check)
 same => n(check-blocked),GotoIf($["${DB(blacklist/blocked)}" = "1"]?blacklisted)
 same => n(check),GotoIf($["${BLACKLIST()}" = "1"]?blacklisted)
 same => n,Set(CALLED_BLACKLIST=1)
 same => n,Return()
 same => n(blacklisted),Answer()
 same => n,Set(BLDEST=${DB(blacklist/dest)})
 same => n,ExecIf($["${BLDEST}" = ""]?Set(BLDEST=app-blackhole,hangup,1))
 same => n,GotoIf($["${returnhere}" = "1"]?returnto)
 same => n,GotoIf(${LEN(${BLDEST})}?${BLDEST}:app-blackhole,zapateller,1)
 same => n(returnto),Return()
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn printed(freepbx: bool, announce: Option<&str>, listen: &str) -> String {
        plan(&Plan {
            freepbx,
            announce,
            listen: listen.parse::<Place>().unwrap().0,
            emergency: &Config::default().emergency,
        })
    }

    /// Every target of a GotoIf without a context is a label of its own context, and brackets close.
    fn sound(text: &str) {
        let mut labels: Vec<&str> = Vec::new();
        let mut targets: Vec<&str> = Vec::new();
        let check = |labels: &[&str], targets: &[&str]| {
            for target in targets {
                assert!(labels.contains(target), "no label {target} in {labels:?}");
            }
        };
        for line in text.lines().filter(|line| !line.starts_with(';')) {
            let line = line.split(" ; ").next().unwrap();
            assert_eq!(
                line.matches('(').count(),
                line.matches(')').count(),
                "{line}"
            );
            assert_eq!(
                line.matches('{').count(),
                line.matches('}').count(),
                "{line}"
            );
            assert_eq!(line.matches('"').count() % 2, 0, "{line}");
            if line.starts_with('[') {
                check(&labels, &targets);
                (labels, targets) = (Vec::new(), Vec::new());
            }
            if let Some((_, rest)) = line.split_once("same => n(") {
                labels.push(rest.split_once(')').unwrap().0);
            }
            if line.contains("GotoIf(") && !line.contains("BLDEST") {
                let (_, branch) = line.rsplit_once('?').unwrap();
                targets.extend(branch.trim_end_matches(')').split(':'));
            }
        }
        check(&labels, &targets);
    }

    #[test]
    fn the_plain_context_asks_and_goes_on_without_an_answer() {
        let text = printed(false, None, "127.0.0.1");
        sound(&text);
        assert!(
            text.contains(" same => n,AGI(agi://127.0.0.1/lookup)\n"),
            "{text}"
        );
        assert!(text.contains("\"${AGISTATUS}\" = \"FAILURE\"]?goon)"));
        for number in ["112", "911", "999", "000"] {
            let line = format!("= \"{number}\"]?goon)");
            let (before, _) = text.split_once(&line).unwrap();
            assert!(
                !before.contains("\n same => n,AGI("),
                "{number} is not asked about"
            );
        }
        assert!(text.ends_with(" same => n,Hangup(21)\n"));
        assert!(!text.contains("Answer("), "strangers are not answered");
    }

    #[test]
    fn an_announcement_comes_before_the_end_and_does_not_answer() {
        let text = printed(false, Some("custom/not-here"), "127.0.0.1");
        let (_, end) = text.split_once("(stranger)").unwrap();
        let (_, end) = end
            .split_once("Playback(custom/not-here,noanswer)\n")
            .unwrap();
        assert_eq!(end, " same => n,Hangup(21)\n");
    }

    #[test]
    fn the_stock_check_of_freepbx_still_runs_and_nothing_of_it_is_left_over() {
        let text = printed(true, None, "127.0.0.1");
        sound(&text);
        let (_, check) = text.split_once("[app-blacklist-check]").unwrap();
        assert!(check.contains("exten => s,1,Gosub(ringfence,s,1)\n"));
        assert!(check.contains("${BLACKLIST()}") && check.contains("${DB(blacklist/blocked)}"));
        assert!(check.contains("Set(CALLED_BLACKLIST=1)"));
        // The longest stock check has 13 priorities.
        let priorities = check.matches(" => s,").count() + check.matches(" same => n").count();
        assert!(priorities >= 13, "{priorities}");
        assert!(text.contains("[ringfence]\n"));
    }

    #[test]
    fn asterisk_finds_the_server_where_it_listens() {
        for (listen, expected) in [
            ("127.0.0.1:4573", "agi://127.0.0.1/lookup"),
            ("127.0.0.1:4600", "agi://127.0.0.1:4600/lookup"),
            ("0.0.0.0", "agi://127.0.0.1/lookup"),
            ("[::]:4573", "agi://[::1]/lookup"),
            ("::1", "agi://[::1]/lookup"),
            ("[2001:db8::1]:9", "agi://[2001:db8::1]:9/lookup"),
        ] {
            assert_eq!(url(listen.parse::<Place>().unwrap().0), expected);
        }
        assert!("localhost".parse::<Place>().is_err());
    }

    #[test]
    fn a_sound_cannot_end_its_line_or_its_brackets() {
        for text in ["custom/no", "tt-weasels&beep", "/var/sounds/no"] {
            assert!(text.parse::<Sound>().is_ok(), "{text}");
        }
        for text in ["", "a,b", "a)", "a\nb", "${X}", "a b", "a;b"] {
            assert!(text.parse::<Sound>().is_err(), "{text}");
        }
        let told = "custom/no.wav".parse::<Sound>().unwrap_err();
        assert!(told.contains("\"custom/no\""), "{told}");
    }
}
