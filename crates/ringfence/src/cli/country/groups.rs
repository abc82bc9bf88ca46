//! `ringfence country groups`.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Format, Global, offline};
use crate::country::{Country, CountrySet, GROUPS};

/// Shows the known groups and those of the configuration.
pub fn run(global: &Global) -> anyhow::Result<ExitCode> {
    let own = offline::config(global)?.country.groups;
    let known = GROUPS
        .iter()
        .map(|group| (group.name, group.about, group.countries()));
    let own = own
        .iter()
        .map(|group| (group.name.as_str(), "of the configuration", group.countries));
    let mut out = io::stdout().lock();
    for (name, about, countries) in known.chain(own) {
        show(&mut out, global.format, name, about, &countries)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(
    out: &mut impl Write,
    format: Format,
    name: &str,
    about: &str,
    countries: &CountrySet,
) -> io::Result<()> {
    let codes: Vec<_> = countries.iter().map(Country::code).collect();
    match format {
        Format::Json => {
            let line = json!({ "group": name, "about": about, "countries": codes });
            writeln!(out, "{line}")
        }
        Format::Text => {
            writeln!(out, "{name} ({about}, {})", codes.len())?;
            for line in codes.chunks(20) {
                writeln!(out, "  {}", line.join(" "))?;
            }
            Ok(())
        }
    }
}
