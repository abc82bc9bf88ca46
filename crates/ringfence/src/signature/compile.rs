//! Signatures and domains as the automaton of a policy.

use regex_automata::Input;
use regex_automata::dfa::Automaton as _;
use ringfence_core::automaton::{Automaton, Location, Match, SERVICES, TRANSITIONS};

use super::determinize::{Dfa, Fault, determinize};
use super::error::CompileError;
use super::layout::Layout;
use super::model::{Condition, Effect, Signature};
use super::plan::{Plan, text_pattern};

/// The domain names that one service answers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceDomains {
    /// The number of the service, below [`SERVICES`].
    pub service: usize,
    /// Host names, or `*.` and a name for every host below it.
    pub names: Vec<String>,
    /// Whether the names are also looked for in the whole payload.
    pub anywhere: bool,
}

/// What a policy's patterns became.
pub struct Compiled {
    /// The table that the judge walks.
    pub automaton: Box<Automaton>,
    /// The id of each signature by its number; number 0 is none and has an empty name.
    pub names: Vec<String>,
    /// Its size and cost.
    pub stats: Stats,
}

impl Compiled {
    /// The id of the signature with this number.
    pub fn name(&self, number: u16) -> Option<&str> {
        let name = self.names.get(usize::from(number))?;
        (number != 0).then_some(name)
    }
}

/// The size of a compiled policy and what it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Signatures that are looked for.
    pub signatures: usize,
    /// Domain names, counted for each service.
    pub domains: usize,
    /// States, the dead one included.
    pub states: usize,
    /// Classes of bytes.
    pub classes: usize,
    /// Bytes of the transition table in use, of at most `max_bytes`.
    pub bytes: usize,
    /// The size of the whole transition table in bytes.
    pub max_bytes: usize,
    /// Conditions of signatures that give points or want several.
    pub conditions: usize,
    /// Signatures that make the judge read every header or the whole message, by their id.
    pub costly: Vec<(String, Location)>,
}

/// Whether a condition of the signature holds for an empty value, and so says nothing.
pub fn hits_everything(signature: &Signature) -> Result<bool, CompileError> {
    for condition in &signature.conditions {
        if let Condition::Text {
            test,
            value,
            case_sensitive,
            ..
        } = condition
        {
            let pattern = text_pattern(*test, value, *case_sensitive, Match::default());
            let dfa = determinize(&[pattern]).map_err(|fault| match fault {
                Fault::Size => CompileError::TooComplex {
                    what: Item::Signature(signature).name(),
                    max: 2 * TRANSITIONS,
                },
                Fault::Expression(reason) => CompileError::Expression {
                    id: signature.id.clone(),
                    value: value.clone(),
                    reason,
                },
            })?;
            if matches_empty(&dfa) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Compiles the signatures that are enabled and the domains of the services.
///
/// Signatures that ban get lower numbers than those that drop, and those lower ones than those that
/// give points, so that the lowest number hit is the strictest. Every pattern that is wrong is
/// listed.
pub fn compile(
    signatures: &[Signature],
    domains: &[ServiceDomains],
) -> Result<Compiled, Vec<CompileError>> {
    let items: Vec<Item<'_>> = signatures
        .iter()
        .filter(|signature| signature.enabled)
        .map(Item::Signature)
        .chain(
            domains
                .iter()
                .flat_map(|of| of.names.iter().map(move |name| Item::Domain(of, name))),
        )
        .collect();
    let wrong: Vec<_> = items.iter().filter_map(|item| item.check().err()).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    match build(&items) {
        Ok(compiled) => Ok(compiled),
        Err(Refusal::Error(error)) => Err(vec![error]),
        Err(Refusal::Size(needed)) => Err(vec![too_large(&items, needed)]),
    }
}

/// One thing that can be left out.
#[derive(Clone, Copy)]
enum Item<'a> {
    Signature(&'a Signature),
    Domain(&'a ServiceDomains, &'a str),
}

enum Refusal {
    Error(CompileError),
    /// The size that would be needed, if it could be counted.
    Size(Option<Layout>),
}

impl From<CompileError> for Refusal {
    fn from(error: CompileError) -> Self {
        Self::Error(error)
    }
}

impl Item<'_> {
    fn name(&self) -> String {
        match self {
            Self::Signature(signature) => format!("signature `{}`", signature.id),
            Self::Domain(of, name) => format!("domain `{name}` of service {}", of.service),
        }
    }

    /// Refuses what is wrong whatever else is in the policy.
    fn check(&self) -> Result<(), CompileError> {
        match self {
            Self::Signature(signature) => {
                if hits_everything(signature)? {
                    let value = match &signature.conditions[..] {
                        [Condition::Text { value, .. }] => value.clone(),
                        _ => "all".to_owned(),
                    };
                    return Err(CompileError::Empty {
                        what: self.name(),
                        value,
                    });
                }
                Ok(())
            }
            Self::Domain(of, _) if of.service >= SERVICES => Err(CompileError::Service {
                service: of.service,
            }),
            Self::Domain(_, name) if name.trim_end_matches('.').is_empty() => {
                Err(CompileError::Empty {
                    what: self.name(),
                    value: (*name).to_owned(),
                })
            }
            Self::Domain(..) => Ok(()),
        }
    }
}

/// Names the first item with which the policy has no room. More items never need less room, so
/// halving finds it.
fn too_large(items: &[Item<'_>], mut size: Option<Layout>) -> CompileError {
    let (mut fits, mut fails) = (0, items.len());
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        match build(&items[..middle]) {
            Err(Refusal::Size(needed)) => (fails, size) = (middle, needed),
            // No other table is full: it would have been for all items too.
            Ok(_) | Err(Refusal::Error(_)) => fits = middle,
        }
    }
    let what = items[fails - 1].name();
    let max = 2 * TRANSITIONS;
    match size {
        Some(layout) => CompileError::TooLarge {
            what,
            states: layout.states,
            bytes: 2 * layout.entries(),
            max,
        },
        None => CompileError::TooComplex { what, max },
    }
}

fn build(items: &[Item<'_>]) -> Result<Compiled, Refusal> {
    let mut plan = Plan::new();
    let mut signatures: Vec<&Signature> = items
        .iter()
        .filter_map(|item| match item {
            Item::Signature(signature) => Some(*signature),
            Item::Domain(..) => None,
        })
        .collect();
    signatures.sort_by_key(|signature| match signature.effect {
        Effect::Ban => 0,
        Effect::Drop => 1,
        Effect::Score(_) => 2,
    });
    for signature in signatures {
        plan.add_signature(signature)?;
    }
    for item in items {
        if let Item::Domain(of, name) = item {
            plan.add_domain(of, name);
        }
    }
    plan.finish().map_err(Refusal::Size)
}

fn matches_empty(dfa: &Dfa) -> bool {
    dfa.start_state_forward(&Input::new(""))
        .is_ok_and(|start| dfa.is_match_state(dfa.next_eoi_state(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::reduce::both;
    use crate::signature::{Risk, Test, pattern, shipped};
    use proptest::prelude::*;
    use regex_automata::meta::Regex;
    use ringfence_core::automaton::{Action, DOMAIN, Match, SCORE_LIMIT};
    use std::sync::LazyLock;

    fn signature(id: &str, test: Test, value: &str, effect: Effect) -> Signature {
        let condition = Condition::Text {
            location: Location::From,
            test,
            value: value.to_owned(),
            case_sensitive: false,
        };
        Signature {
            id: id.to_owned(),
            conditions: vec![condition],
            effect,
            enabled: true,
            risk: Risk::Low,
            note: None,
        }
    }

    /// What is noted on the way over a value, as the judge walks it.
    fn walk(compiled: &Compiled, start: u16, text: &[u8]) -> Match {
        let table = &compiled.automaton;
        let mut states = vec![start];
        states.extend(text.iter().scan(start, |state, byte| {
            *state = table.step(*state, *byte);
            Some(*state)
        }));
        let last = states.last().copied().unwrap_or(start);
        states.push(table.end(last));
        // The state in which a walk starts is not noted.
        let found = states
            .iter()
            .skip(1)
            .filter_map(|state| table.matched(*state));
        found.fold(Match::default(), |all, one| both(&all, one))
    }

    /// What is noted of a From header with this value.
    fn from(compiled: &Compiled, text: &[u8]) -> Match {
        walk(compiled, compiled.automaton.start(Location::From), text)
    }

    /// The rules whose conditions hold: the signature and the points of each.
    fn rules(compiled: &Compiled, found: Match) -> Vec<(u16, u16)> {
        let used = compiled.automaton.rule_count as usize;
        let rules = compiled.automaton.rules.iter().take(used);
        let held = rules.filter(|rule| found.bits & rule.need == rule.need);
        held.map(|rule| (rule.signature, rule.points)).collect()
    }

    fn compiled(signatures: &[Signature], domains: &[ServiceDomains]) -> Compiled {
        compile(signatures, domains).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn error(signatures: &[Signature], domains: &[ServiceDomains]) -> CompileError {
        let errors = compile(signatures, domains)
            .err()
            .expect("it must be refused");
        let [error] = &errors[..] else {
            panic!("{errors:?}")
        };
        error.clone()
    }

    #[test]
    fn the_shipped_list_fits_with_room_for_as_much_again() {
        let stats = compiled(&shipped(), &[]).stats;
        println!("the shipped list: {stats:?}");
        assert!(2 * stats.bytes <= stats.max_bytes, "{stats:?}");
        assert_eq!(stats.costly, []);
    }

    #[test]
    fn nothing_compiles_to_what_finds_nothing() {
        let empty = compiled(&[], &[]);
        assert_eq!(empty.stats.states, 1);
        assert_eq!(from(&empty, b"friendly-scanner"), Match::default());
        assert_eq!(empty.name(0), None);
    }

    #[test]
    fn a_prefix_that_cannot_match_ends_the_walk() {
        let one = compiled(&[signature("a", Test::Prefix, "abc", Effect::Ban)], &[]);
        let start = one.automaton.start(Location::From);
        assert_ne!(start, 0);
        assert_eq!(one.automaton.step(start, b'x'), 0);
    }

    #[test]
    fn the_strictest_signature_has_the_lowest_number() {
        let list = [
            signature(
                "score",
                Test::Contains,
                "x",
                Effect::Score(SCORE_LIMIT as u16),
            ),
            signature("drop", Test::Contains, "x", Effect::Drop),
            signature("ban", Test::Contains, "x", Effect::Ban),
        ];
        let all = compiled(&list, &[]);
        assert_eq!(all.names, ["", "ban", "drop", "score"]);
        let found = from(&all, b"axb");
        assert_eq!(found.signature, 1);
        assert_eq!(rules(&all, found), [(3, SCORE_LIMIT as u16)]);
        assert_eq!(all.automaton.action(1), Action::Ban);
        assert_eq!(all.automaton.action(2), Action::Drop);
    }

    #[test]
    fn domains_are_found_for_their_service_only() {
        let names = vec!["example.com".to_owned(), "*.example.net".to_owned()];
        let domains = [
            ServiceDomains {
                service: 1,
                names,
                anywhere: false,
            },
            ServiceDomains {
                service: 2,
                names: vec!["b.example".to_owned()],
                anywhere: true,
            },
        ];
        let all = compiled(&[], &domains);
        let table = &all.automaton;
        let cases = [
            (table.domain_start(1), "Example.com", true),
            (table.domain_start(1), "sip.example.net.", true),
            (table.domain_start(1), "b.example", false),
            (table.domain_start(0), "example.com", false),
            (table.domain_start(2), "b.example", true),
            (table.domain_anywhere_start(1), "sip:example.com", false),
            (
                table.domain_anywhere_start(2),
                "INVITE sip:a@b.example SIP/2.0\r\n",
                true,
            ),
        ];
        for (start, text, found) in cases {
            let hits = walk(&all, start, text.as_bytes());
            assert_eq!(hits.bits == DOMAIN, found, "{text}");
            assert_eq!(hits.signature, 0);
        }
        assert_eq!(all.stats.domains, 3);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        // A count between two letters needs a state for each set of places where the first may be,
        // and letters that differ make every row longer.
        let letters = String::from_utf8((b' '..=b'`').collect()).unwrap();
        let wide = |id, at| {
            let mut wide = signature(id, Test::Regex, "[ab].{10}c", Effect::Drop);
            if let Condition::Text { location, .. } = &mut wide.conditions[0] {
                *location = at;
            }
            wide
        };
        let list = [
            signature("letters", Test::Exact, &letters, Effect::Drop),
            wide("first", Location::To),
            wide("second", Location::Contact),
            signature("after", Test::Exact, "x", Effect::Drop),
        ];
        let found = error(&list, &[]);
        let CompileError::TooLarge {
            what, bytes, max, ..
        } = found
        else {
            panic!("{found}")
        };
        assert_eq!((what.as_str(), max), ("signature `second`", 512 << 10));
        assert!(bytes > max);

        let monster = signature("monster", Test::Regex, "(.{500}){500}x", Effect::Drop);
        let found = error(&[monster], &[]);
        let CompileError::TooComplex { what, .. } = found else {
            panic!("{found}")
        };
        assert_eq!(what, "signature `monster`");

        let names = vec!["abc.example".to_owned(), format!("{letters}.example")];
        let domains = [ServiceDomains {
            service: 4,
            names,
            anywhere: false,
        }];
        let found = error(&list[1..3], &domains);
        let CompileError::TooLarge { what, .. } = found else {
            panic!("{found}")
        };
        assert_eq!(what, format!("domain `{letters}.example` of service 4"));
    }

    #[test]
    fn what_cannot_be_looked_for_is_refused() {
        for value in ["(", "(?=a)b", r"(a)\1", r"\p{Greek}"] {
            let found = error(&[signature("bad", Test::Regex, value, Effect::Drop)], &[]);
            assert!(matches!(found, CompileError::Expression { .. }), "{found}");
        }
        for (test, value) in [
            (Test::Regex, "a*"),
            (Test::Regex, "^$"),
            (Test::Contains, ""),
            (Test::Prefix, ""),
            (Test::Exact, ""),
        ] {
            let found = error(&[signature("all", test, value, Effect::Drop)], &[]);
            assert!(matches!(found, CompileError::Empty { .. }), "{found}");
        }
        let domains = [ServiceDomains {
            service: SERVICES,
            names: vec!["a".into()],
            anywhere: true,
        }];
        assert_eq!(
            error(&[], &domains),
            CompileError::Service { service: SERVICES }
        );
    }

    #[test]
    fn full_tables_name_the_first_without_room() {
        let many = |count: usize, effect| -> Vec<Signature> {
            let one = |n: usize| signature(&format!("n{n}"), Test::Exact, &format!("n{n}"), effect);
            (0..count).map(one).collect()
        };
        let cases = [
            (many(64, Effect::Score(1)), "n63", 63),
            (many(512, Effect::Drop), "n511", 511),
        ];
        for (list, first, most) in cases {
            let CompileError::TooMany { id, max, .. } = error(&list, &[]) else {
                panic!("it must be too many");
            };
            assert_eq!((id.as_str(), max), (first, most));
        }
    }

    struct Alone {
        location: Location,
        engine: Regex,
        id: String,
    }

    /// The shipped list as the judge has it, and its outright signatures one by one.
    static SHIPPED: LazyLock<(Compiled, Vec<Alone>)> = LazyLock::new(|| {
        let list = shipped();
        let outright = list
            .iter()
            .filter(|one| one.enabled && !matches!(one.effect, Effect::Score(_)));
        let engines = outright.filter_map(|one| match &one.conditions[..] {
            [
                Condition::Text {
                    location,
                    test,
                    value,
                    case_sensitive,
                },
            ] => Some(Alone {
                location: *location,
                engine: Regex::builder()
                    .syntax(pattern::syntax(*case_sensitive))
                    .build(&pattern::expression(*test, value))
                    .unwrap(),
                id: one.id.clone(),
            }),
            _ => None,
        });
        (compiled(&list, &[]), engines.collect())
    });

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// The table finds exactly what each expression finds on its own.
        #[test]
        fn the_walk_agrees_with_the_regex_engine(
            values in prop::collection::vec(
                prop_oneof![
                    r"\^?[ab.c]{1,4}\$?",
                    r"\(a\|bc\?\)[ab]{1,2}(\\\\b)?c\?",
                    r"\^?(\(ab\|\[\^a\]\)){1,2}x{1,3}\$?",
                ],
                1..6,
            ),
            texts in prop::collection::vec(r"[abcxA \n]{0,12}", 1..8),
        ) {
            let mut list = Vec::new();
            let mut engines = Vec::new();
            for (at, value) in values.iter().enumerate() {
                let one = signature(&at.to_string(), Test::Regex, value, Effect::Score(1 << at));
                if !hits_everything(&one).unwrap() {
                    let syntax = pattern::syntax(false);
                    let engine = Regex::builder().syntax(syntax).build(value).unwrap();
                    engines.push((1 << at, engine));
                    list.push(one);
                }
            }
            let all = compiled(&list, &[]);
            for text in &texts {
                let expected: u32 =
                    engines.iter().filter(|(_, e)| e.is_match(text)).map(|(p, _)| p).sum();
                let held = rules(&all, from(&all, text.as_bytes()));
                let score = held.iter().map(|(_, points)| u32::from(*points)).sum::<u32>();
                prop_assert_eq!(score, expected, "{:?}", text);
            }
        }

        /// Any bytes give the shipped list the same answer as its expressions one by one.
        #[test]
        fn the_shipped_list_agrees_with_the_regex_engine(text in prop::collection::vec(
            prop_oneof![Just(b'1'), Just(b'.'), b' '..=b'z', any::<u8>()], 0..20)
        ) {
            let (all, engines) = &*SHIPPED;
            for location in Location::ALL {
                let found = walk(all, all.automaton.start(location), &text).signature;
                let expected = engines
                    .iter()
                    .filter(|one| one.location == location && one.engine.is_match(&text))
                    .map(|one| all.names.iter().position(|name| *name == one.id).unwrap() as u16)
                    .min();
                prop_assert_eq!(found, expected.unwrap_or(0), "{:?}", location);
            }
        }
    }
}
