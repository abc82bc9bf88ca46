//! What is asked for, beside what is found.

use super::text::{list, quoted};
use crate::config::{Admission, Config, CountryCode, Domain, Host, Wrong, countries_named};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Countries that phones call from; none for anyone.
    pub countries: Vec<CountryCode>,
    /// Names that phones know this host by.
    pub domains: Vec<Domain>,
    /// Providers.
    pub trunks: Vec<Trunk>,
    /// Who is told by e-mail.
    pub mail: Vec<String>,
    /// Whom SSH admits: `Permitted` or `Countries`; none for what fits.
    pub ssh: Option<Admission>,
    /// Interfaces to guard; none for that of the default route.
    pub interfaces: Vec<String>,
    /// Leave out the addresses of SSH sessions.
    pub without_session: bool,
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name, if one was said.
    pub name: Option<String>,
    /// Its hosts.
    pub hosts: Vec<Host>,
}

/// Countries as they are typed: `GB,IE`, `gb ie`, or groups such as `EU`.
///
/// # Errors
/// What is no country code and no group.
pub fn countries(text: &str) -> Result<Vec<CountryCode>, Wrong> {
    let named = each(text).map(countries_named);
    let named = named.collect::<Result<Vec<_>, Wrong>>()?;
    let mut codes: Vec<CountryCode> = named.into_iter().flatten().collect();
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

/// Domains as they are typed.
///
/// # Errors
/// What is no domain.
pub fn domains(text: &str) -> Result<Vec<Domain>, Wrong> {
    each(text).map(str::parse).collect()
}

/// A trunk as it is typed: `HOST`, `HOST,HOST` or `NAME=HOST,HOST`.
///
/// # Errors
/// What is no host or prefix, and where there is none.
pub fn trunk(text: &str) -> Result<Trunk, Wrong> {
    let (name, hosts) = match text.split_once('=') {
        Some((name, hosts)) => (Some(name.trim().to_owned()), hosts),
        None => (None, text),
    };
    let hosts = each(hosts)
        .map(str::parse)
        .collect::<Result<Vec<Host>, _>>()?;
    if hosts.is_empty() {
        let fix = "write sip.provider.example, or provider=203.0.113.0/28";
        return Err(Wrong::new("a trunk without a host".to_owned(), fix));
    }
    if let Some(name) = &name {
        sound(&format!(
            "[[trunk]]\nname = {}\nhosts = {}\n",
            quoted(name),
            list(hosts.iter())
        ))?;
    }
    Ok(Trunk { name, hosts })
}

/// Recipients of e-mail as they are typed.
///
/// # Errors
/// What is none.
pub fn mail(text: &str) -> Result<Vec<String>, Wrong> {
    let all: Vec<String> = each(text).map(str::to_owned).collect();
    if !all.is_empty() {
        sound(&format!("[notify.mail]\nto = {}\n", list(all.iter())))?;
    }
    Ok(all)
}

/// Whether a piece of a configuration is right; else its first mistake.
fn sound(text: &str) -> Result<(), Wrong> {
    match Config::parse(text, "what was typed") {
        Ok(_) => Ok(()),
        Err(mistakes) => Err(mistakes.iter().next().map_or_else(
            || Wrong::new("it is not understood".to_owned(), "write it anew"),
            |mistake| mistake.wrong.clone(),
        )),
    }
}

fn each(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed() {
        let codes = countries("ie, GB gb,").unwrap();
        let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
        assert_eq!(codes, ["GB", "IE"]);
        assert_eq!(countries("").unwrap(), []);
        assert_eq!(countries("eu,GB").unwrap().len(), 28);
        assert!(countries("GB,Britain").is_err());
        assert_eq!(domains("a.example b.example").unwrap().len(), 2);
        assert!(domains("http://a.example").is_err());
        let named = trunk("uk=203.0.113.0/28,sip.provider.example").unwrap();
        assert_eq!((named.name.as_deref(), named.hosts.len()), (Some("uk"), 2));
        assert_eq!(trunk("sip.provider.example").unwrap().name, None);
        for wrong in [
            "",
            "uk=",
            "bad host!",
            "uk=a/b",
            "a b=192.0.2.1",
            "=192.0.2.1",
        ] {
            assert!(trunk(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            mail("root, a@example.com").unwrap(),
            ["root", "a@example.com"]
        );
        assert_eq!(mail(" ").unwrap(), [""; 0]);
        assert!(mail("a@b@c").is_err());
    }
}
