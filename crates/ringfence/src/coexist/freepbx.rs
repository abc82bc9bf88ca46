//! FreePBX's Firewall: the networks of its trusted zone, and its blacklist.
//!
//! Its own command tells, `fwconsole firewall list ZONE`. Where that fails, so do the rules that it made: the chains
//! `fpbxnets` and `fpbxblacklist` of iptables (FreePBX 13 to 17), or the sets of the nftables table `inet fpbx` (18).

use serde_json::Value;

use super::{ImportError, Taken, chains, output};

const TRUSTED: &str = "FreePBX trusted zone";
const BLACKLIST: &str = "FreePBX blacklist";

/// What FreePBX's Firewall holds.
///
/// # Errors
/// When there is neither its command nor rules of it.
pub fn freepbx() -> Result<Taken, ImportError> {
    let zone = |zone| output("fwconsole", ["firewall", "list", zone]);
    if let Ok(trusted) = zone("trusted") {
        let mut taken = Taken::new("fwconsole firewall list");
        for network in listed(&trusted) {
            taken.let_in(network, None, TRUSTED);
        }
        match zone("blacklist") {
            Ok(blacklist) => listed(&blacklist).for_each(|entry| {
                taken.keep_out(entry, None, BLACKLIST);
            }),
            Err(error) => taken.left_out.push(format!("its blacklist: {error}")),
        }
        return Ok(taken);
    }
    let mut taken = Taken::new("iptables-save");
    let mut found = false;
    for program in ["iptables-save", "ip6tables-save"] {
        // Where there is no iptables, there are no rules of it.
        if let Ok(text) = output(program, ["-t", "filter"]) {
            found |= by_chains(&text, &mut taken);
        }
    }
    if !found && let Ok(text) = output("nft", ["-j", "list", "table", "inet", "fpbx"]) {
        taken.way = "nft -j list table inet fpbx".to_owned();
        found = by_sets(&text, &mut taken);
    }
    if found {
        Ok(taken)
    } else {
        Err(ImportError::NotThere {
            what: "FreePBX's Firewall",
            looked: "`fwconsole firewall list trusted` fails, and there are neither iptables chains `fpbxnets` nor an \
                     nftables table `inet fpbx`; run this as root on the FreePBX host while its Firewall is on"
                .to_owned(),
        })
    }
}

/// The entries of `fwconsole firewall list`: indented by a tab; those of host names say what they stand for.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| line.starts_with(['\t', ' ']));
    lines
        .filter_map(|line| line.split_ascii_whitespace().next())
        .map(|entry| {
            // An IPv6 address has a colon too, but not at its end, unless it is all zeroes behind.
            match entry.strip_suffix(':') {
                Some(name) if !name.ends_with(':') => name,
                _ => entry,
            }
        })
}

/// Whether there are rules of FreePBX among those of iptables.
fn by_chains(text: &str, taken: &mut Taken) -> bool {
    let chains = chains(text);
    for network in chains.sources("fpbxnets", "zone-trusted") {
        taken.let_in(network, None, TRUSTED);
    }
    for network in chains.sources("fpbxblacklist", "") {
        taken.keep_out(network, None, BLACKLIST);
    }
    chains.has("fpbxnets")
}

/// Whether there are sets of FreePBX in a table of nftables, as JSON (libnftables-json(5)).
fn by_sets(text: &str, taken: &mut Taken) -> bool {
    let Ok(all) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let mut found = false;
    for set in all["nftables"].as_array().into_iter().flatten() {
        let set = &set["set"];
        let trusted = match set["name"].as_str() {
            Some("nets-trusted" | "nets-trusted6") => true,
            Some("blacklist" | "blacklist6") => false,
            _ => continue,
        };
        found = true;
        for element in set["elem"].as_array().into_iter().flatten() {
            let Some(network) = network(element) else {
                taken
                    .left_out
                    .push(format!("an element that is not understood: {element}"));
                continue;
            };
            if trusted {
                taken.let_in(&network, None, TRUSTED);
            } else {
                taken.keep_out(&network, None, BLACKLIST);
            }
        }
    }
    found
}

/// An element of a set: an address, or a prefix.
fn network(element: &Value) -> Option<String> {
    if let Some(address) = element.as_str() {
        return Some(address.to_owned());
    }
    let prefix = &element["prefix"];
    let (address, length) = (prefix["addr"].as_str()?, prefix["len"].as_u64()?);
    Some(format!("{address}/{length}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coexist::Take;

    fn said(taken: &Taken) -> Vec<String> {
        let items = taken.items.iter();
        items
            .map(|item| match &item.take {
                Take::Permit(range, None) => format!("permit {range}"),
                Take::Deny(range, None) => format!("deny {range}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_fwconsole_prints() {
        let text =
            "All entries in zone 'trusted':\n\t192.0.2.0/24\n\t198.51.100.7/32\n\t2001:db8::/32\n";
        let expected = ["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32"];
        assert_eq!(listed(text).collect::<Vec<_>>(), expected);
        let text = "All blacklisted entries.\n\t203.0.113.9\n\tbad.example.com: (Resolves to 203.0.113.7)\n\t2001:db8::\n";
        let expected = ["203.0.113.9", "bad.example.com", "2001:db8::"];
        assert_eq!(listed(text).collect::<Vec<_>>(), expected);
        assert_eq!(listed("All entries in zone 'trusted':\n").count(), 0);
    }

    #[test]
    fn what_its_rules_say() {
        let mut taken = Taken::default();
        let text = ":fpbxnets - [0:0]\n-A fpbxnets -s 192.0.2.0/24 -j zone-trusted\n\
                    -A fpbxnets -s 198.51.100.0/24 -j zone-external\n-A fpbxblacklist -s 203.0.113.9/32 -j fpbxlogdrop\n";
        assert!(by_chains(text, &mut taken));
        assert_eq!(said(&taken), ["permit 192.0.2.0/24", "deny 203.0.113.9"]);
        assert!(!by_chains(":INPUT ACCEPT [0:0]\n", &mut taken));
        let mut taken = Taken::default();
        let text = r#"{"nftables": [{"metainfo": {}}, {"table": {"name": "fpbx"}},
            {"set": {"name": "nets-trusted", "elem": ["192.0.2.7", {"prefix": {"addr": "198.51.100.0", "len": 24}}]}},
            {"set": {"name": "blacklist6", "elem": ["2001:db8::9", {"range": ["a", "b"]}]}},
            {"set": {"name": "rfw_attacker", "elem": ["192.0.2.200"]}}]}"#;
        assert!(by_sets(text, &mut taken));
        let expected = [
            "permit 192.0.2.7",
            "permit 198.51.100.0/24",
            "deny 2001:db8::9",
        ];
        assert_eq!(said(&taken), expected);
        assert_eq!(taken.left_out.len(), 1);
        assert!(!by_sets("[]", &mut taken) && !by_sets("", &mut taken));
    }
}
