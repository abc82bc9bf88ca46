//! The questions. What a flag has answered is not asked.

use anyhow::Result;
use dialoguer::theme::SimpleTheme;
use dialoguer::{Confirm, Input};

use super::Args;
use crate::config::{Admission, Wrong};
use crate::setup::{Facts, Wishes, countries, domains, mail, trunk};

/// Asks for what the flags do not say.
pub(super) fn wishes(args: &Args, facts: &Facts, wishes: &mut Wishes) -> Result<()> {
    if args.countries.is_empty() {
        let asked = "Countries that phones call from, such as GB,IE (none: anyone)";
        wishes.countries = countries(&line(asked, |text| countries(text).map(drop))?)?;
    }
    if args.domain.is_empty() {
        let asked =
            "Names that phones know this host by, such as sip.example.com (none: not asked for)";
        wishes.domains = domains(&line(asked, |text| domains(text).map(drop))?)?;
    }
    while args.trunk.is_empty() {
        let asked =
            "A provider's hosts, such as sip.provider.example or 203.0.113.0/28 (none: no more)";
        let blank = |text: &str| text.trim().is_empty();
        let said = line(asked, |text| {
            if blank(text) {
                Ok(())
            } else {
                trunk(text).map(drop)
            }
        })?;
        if blank(&said) {
            break;
        }
        wishes.trunks.push(trunk(&said)?);
    }
    if args.mail.is_empty() {
        let asked = "Who is told of bans by e-mail (none: nobody)";
        wishes.mail = mail(&line(asked, |text| mail(text).map(drop))?)?;
    }
    for client in &facts.ssh_clients {
        if !yes(
            &format!("Permit {client}, which has an SSH session here"),
            true,
        )? {
            wishes.without_session = true;
        }
    }
    if args.ssh.is_none() && !wishes.countries.is_empty() && !facts.ssh_ports.is_empty() {
        let asked = "Admit SSH from all of these countries (no: from permitted addresses alone)";
        wishes.ssh = Some(if yes(asked, true)? {
            Admission::Countries
        } else {
            Admission::Permitted
        });
    }
    Ok(())
}

/// A line, asked for again until it is right.
fn line(asked: &str, right: impl Fn(&str) -> Result<(), Wrong>) -> Result<String> {
    let input = Input::<String>::with_theme(&SimpleTheme)
        .with_prompt(asked)
        .allow_empty(true)
        .validate_with(|text: &String| right(text).map_err(|wrong| wrong.to_string()));
    Ok(input.interact_text()?)
}

/// Yes or no.
pub(super) fn yes(asked: &str, default: bool) -> Result<bool> {
    let confirm = Confirm::with_theme(&SimpleTheme).with_prompt(asked);
    Ok(confirm.default(default).interact()?)
}
