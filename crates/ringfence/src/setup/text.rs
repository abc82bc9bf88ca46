//! The file that a plan makes.

use std::fmt::{Display, Write as _};

use super::{Offer, Plan, SECRET};
use crate::config::Kind;

/// The text of the configuration file: each part with a comment that says why. It is in shadow mode, always.
pub fn file(plan: &Plan) -> String {
    let mut text = String::new();
    text.push_str(
        "# Made by `ringfence setup`. `ringfence check` looks at changes, `ringfence reload` takes them over.\n\n\
         # Shadow: everything is decided and reported, and nothing is dropped. Look at `ringfence report` for some\n\
         # days, then try `ringfence reload --confirm 60s`, and only then write \"enforce\".\n\
         mode = \"shadow\"\n",
    );
    top(&mut text, plan);
    for (name, hosts) in &plan.trunks {
        let hosts = list(hosts.iter());
        part(
            &mut text,
            "A provider: no country, domain, budget or ban; it may not register.",
        );
        put(
            &mut text,
            format_args!("[[trunk]]\nname  = {}\nhosts = {hosts}\n", quoted(name)),
        );
    }
    for service in &plan.services {
        self::service(&mut text, plan, service);
    }
    if let Some((first, last, file)) = &plan.media {
        part(
            &mut text,
            &format!(
                "Media, udp/{first}-{last} ({file}), is no service: what no service names is not touched."
            ),
        );
    }
    manager(&mut text, plan);
    if !plan.wishes.mail.is_empty() {
        part(
            &mut text,
            "Who is told of bans and the like; `ringfence notify test` tries it.",
        );
        put(
            &mut text,
            format_args!("[notify.mail]\nto = {}\n", list(plan.wishes.mail.iter())),
        );
    }
    text
}

fn top(text: &mut String, plan: &Plan) {
    if !plan.wishes.interfaces.is_empty() {
        part(text, "The interfaces that are guarded.");
        put(
            text,
            format_args!("interfaces = {}\n", list(plan.wishes.interfaces.iter())),
        );
    }
    if plan.wishes.countries.is_empty() {
        part(
            text,
            "No countries: services below are open to anyone. With some, write from = \"countries\" there.",
        );
        text.push_str("#countries = [\"GB\", \"IE\"]\n");
    } else {
        part(
            text,
            "Where phones and administrators are: services with from = \"countries\" admit these.",
        );
        put(
            text,
            format_args!("countries = {}\n", list(plan.wishes.countries.iter())),
        );
    }
    if plan.permit.is_empty() {
        part(
            text,
            "Sources that always pass, such as the office that this host is administered from.",
        );
        text.push_str("#permit = [\"198.51.100.7\"]\n");
    } else {
        part(text, "Sources that always pass.");
        text.push_str("permit = [\n");
        for permit in &plan.permit {
            let (address, comment) = (quoted(permit.address), quoted(permit.comment));
            put(
                text,
                format_args!("    {{ address = {address}, comment = {comment} }},\n"),
            );
        }
        text.push_str("]\n");
    }
}

fn service(text: &mut String, plan: &Plan, service: &Offer) {
    text.push('\n');
    for why in &service.why {
        put(text, format_args!("# {}\n", one_line(why)));
    }
    let Offer {
        name,
        kind,
        ports,
        from,
        ..
    } = service;
    put(
        text,
        format_args!(
            "[[service]]\nname    = {}\nkind    = {}\nports   = {}\nfrom    = {}\n",
            quoted(name),
            quoted(kind),
            list(ports.iter()),
            quoted(from)
        ),
    );
    let gate = matches!(kind, Kind::Sip | Kind::Sips | Kind::Ws | Kind::Wss);
    if gate && !plan.domains.is_empty() {
        put(
            text,
            format_args!("domains = {}\n", list(plan.domains.iter())),
        );
    }
}

fn manager(text: &mut String, plan: &Plan) {
    let Some((address, secret)) = plan.manager else {
        return;
    };
    let why = if secret {
        "Asterisk's manager interface tells who logs in inside TLS and WebSocket."
    } else {
        "Asterisk's manager interface tells who logs in inside TLS and WebSocket. `ringfence asterisk manager` prints the\n\
         # user for manager.conf and its secret; then remove the \"#\" here."
    };
    part(text, why);
    let mark = if secret { "" } else { "#" };
    put(
        text,
        format_args!(
            "{mark}[asterisk]\n{mark}ami = {}\n{mark}secret_file = {}\n",
            quoted(reached(address)),
            quoted(SECRET)
        ),
    );
}

/// Where a manager interface that is bound to all addresses is reached from this host.
fn reached(address: std::net::SocketAddr) -> std::net::SocketAddr {
    if address.ip().is_unspecified() {
        return ([127, 0, 0, 1], address.port()).into();
    }
    address
}

fn part(text: &mut String, why: &str) {
    put(text, format_args!("\n# {why}\n"));
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = text.write_fmt(arguments);
}

/// A string of TOML.
pub(super) fn quoted(value: impl Display) -> String {
    toml_edit::Value::from(value.to_string()).to_string()
}

/// An array of strings of TOML.
pub(super) fn list(values: impl Iterator<Item = impl Display>) -> String {
    let all: Vec<String> = values.map(quoted).collect();
    format!("[{}]", all.join(", "))
}

/// Text in a comment: names of sections of others' files cannot end it.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
