//! What `iptables-save` prints: chains and the rules in them.

/// A table's chains.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chains {
    names: Vec<String>,
    rules: Vec<Rule>,
}

/// A rule that looks at a source.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    chain: String,
    source: String,
    target: String,
}

impl Chains {
    /// Whether there is a chain of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The chains whose names begin so.
    pub fn beginning<'c>(&'c self, start: &'c str) -> impl Iterator<Item = &'c str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(move |name| name.starts_with(start))
    }

    /// The sources that the rules of a chain send to a target; to any, where `target` is empty.
    pub(super) fn sources<'c>(
        &'c self,
        chain: &'c str,
        target: &'c str,
    ) -> impl Iterator<Item = &'c str> {
        let meant =
            move |rule: &&Rule| rule.chain == chain && (target.is_empty() || rule.target == target);
        self.rules
            .iter()
            .filter(meant)
            .map(|rule| rule.source.as_str())
    }
}

/// Reads what `iptables-save` or `ip6tables-save` prints. What is not understood is left out.
pub fn chains(text: &str) -> Chains {
    let mut chains = Chains::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("-A") => {
                let mut rule = Rule {
                    chain: words.next().unwrap_or_default().to_owned(),
                    source: String::new(),
                    target: String::new(),
                };
                let mut negated = false;
                while let Some(word) = words.next() {
                    match word {
                        "!" => negated = true,
                        "-s" if !negated => {
                            rule.source = words.next().unwrap_or_default().to_owned();
                        }
                        "-j" | "-g" => rule.target = words.next().unwrap_or_default().to_owned(),
                        _ => negated = false,
                    }
                }
                if !rule.source.is_empty() {
                    chains.rules.push(rule);
                }
            }
            Some(name) => {
                let name = name.strip_prefix(':').map(str::to_owned);
                chains.names.extend(name);
            }
            None => {}
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sources() {
        let chains = chains(
            "# Generated\n*filter\n:INPUT ACCEPT [0:0]\n:fpbxnets - [0:0]\n:f2b-asterisk - [0:0]\n\
             -A INPUT -j fpbxfirewall\n-A fpbxnets -s 192.0.2.0/24 -j zone-trusted\n\
             -A fpbxnets -s 198.51.100.7/32 -m comment --comment \"-s x\" -j zone-internal\n\
             -A fpbxnets ! -s 203.0.113.0/24 -j zone-trusted\n-A\nCOMMIT\n",
        );
        assert!(chains.has("fpbxnets") && !chains.has("fpbx"));
        assert_eq!(
            chains.beginning("f2b-").collect::<Vec<_>>(),
            ["f2b-asterisk"]
        );
        let trusted: Vec<_> = chains.sources("fpbxnets", "zone-trusted").collect();
        assert_eq!(trusted, ["192.0.2.0/24"]);
    }
}
