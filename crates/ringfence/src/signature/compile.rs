//! Signatures and domains as the automaton of a policy.

use std::collections::{BTreeMap, HashMap};

use regex_automata::Input;
use regex_automata::dfa::Automaton as _;
use ringfence_core::automaton::{
    Action, Automaton, Counted, DOMAIN, Location, Match, OVERS, Over, RULES, Rule, SERVICES,
    SIGNATURES, TRANSITIONS,
};
use thiserror::Error;
use zerocopy::FromZeros;

use super::determinize::{Dfa, Fault, Graph, Pattern, determinize};
use super::model::{Condition, Effect, Signature, Test};
use super::pattern;
use super::reduce::{Layout, lay_out, minimize};

/// Conditions that one policy can tell apart; the last bit belongs to domains.
const CONDITIONS: u32 = DOMAIN.trailing_zeros();

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

/// Why signatures and domains cannot be compiled.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// A regular expression is wrong or wants what the judge cannot do.
    #[error(
        "signature `{id}`: `{value}` is no regular expression that can be used: {reason}; \
         look-around, back-references and Unicode classes are not supported"
    )]
    Expression {
        /// The signature.
        id: String,
        /// The expression.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern is found in every message.
    #[error("{what}: `{value}` matches an empty value and so everything; write what must be there")]
    Empty {
        /// The signature or domain.
        what: String,
        /// The pattern.
        value: String,
    },
    /// The table has no room.
    #[error(
        "{what} does not fit: with it the automaton has {states} states and needs {bytes} bytes of \
         at most {max}; shorten it, or disable other signatures"
    )]
    TooLarge {
        /// The signature or domain whose addition is too much.
        what: String,
        /// The states that would be needed.
        states: usize,
        /// The bytes that would be needed.
        bytes: usize,
        /// The greatest number of bytes.
        max: usize,
    },
    /// The states of a pattern are too many to count.
    #[error(
        "{what} does not fit: with it the automaton needs far more than {max} bytes; \
         avoid large counted repetitions such as `.{{200}}`"
    )]
    TooComplex {
        /// The signature or domain whose addition is too much.
        what: String,
        /// The greatest number of bytes.
        max: usize,
    },
    /// One of the fixed tables is full.
    #[error("signature `{id}` is one too many: at most {max} {kind} can be in force; disable some")]
    TooMany {
        /// The first signature without room.
        id: String,
        /// What there are too many of.
        kind: &'static str,
        /// The greatest number.
        max: usize,
    },
    /// A service has no room in the table.
    #[error("service number {service} has domains; only services below {SERVICES} can")]
    Service {
        /// The number.
        service: usize,
    },
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
            let pattern = text_pattern(*test, value, *case_sensitive, none());
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
        Err(Refusal::Size(_)) => Err(vec![too_large(&items)]),
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
fn too_large(items: &[Item<'_>]) -> CompileError {
    let (mut fits, mut fails) = (0, items.len());
    let mut size = None;
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        match build(&items[..middle]) {
            Ok(_) => fits = middle,
            Err(_) => fails = middle,
        }
    }
    if let Err(Refusal::Size(needed)) = build(&items[..fails]) {
        size = needed;
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

/// The text that one walk reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Walk {
    Location(Location),
    Domain(usize),
    Anywhere(usize),
}

/// What is put into the table, and the numbers given out so far.
struct Plan {
    automaton: Box<Automaton>,
    names: Vec<String>,
    conditions: HashMap<Condition, u64>,
    walks: BTreeMap<Walk, Vec<Pattern>>,
    stats: Stats,
}

fn build(items: &[Item<'_>]) -> Result<Compiled, Refusal> {
    let mut plan = Plan {
        automaton: Automaton::new_box_zeroed()
            .expect("half a megabyte can be allocated, or the process aborts elsewhere"),
        names: vec![String::new()],
        conditions: HashMap::new(),
        walks: BTreeMap::new(),
        stats: Stats {
            max_bytes: 2 * TRANSITIONS,
            ..Stats::default()
        },
    };
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
    plan.finish()
}

impl Plan {
    fn add_signature(&mut self, signature: &Signature) -> Result<(), CompileError> {
        let full = |kind, max| CompileError::TooMany {
            id: signature.id.clone(),
            kind,
            max,
        };
        let number = self.names.len();
        if number >= SIGNATURES {
            return Err(full("signatures", SIGNATURES - 1));
        }
        self.names.push(signature.id.clone());
        self.stats.signatures += 1;
        let action = if signature.effect == Effect::Ban {
            Action::Ban
        } else {
            Action::Drop
        };
        self.automaton.actions[number] = action as u8;
        let number = number as u16;
        for condition in &signature.conditions {
            if let &Condition::Text { location, .. } = condition
                && matches!(location, Location::AnyHeader | Location::WholeMessage)
            {
                self.stats.costly.push((signature.id.clone(), location));
            }
        }

        let points = match signature.effect {
            Effect::Score(points) => points,
            Effect::Drop | Effect::Ban => 0,
        };
        if let ([condition], 0) = (&signature.conditions[..], points) {
            return self.look_for(
                signature,
                condition,
                Match {
                    signature: number,
                    ..none()
                },
            );
        }
        let mut need = 0;
        for condition in &signature.conditions {
            if let Some(bit) = self.conditions.get(condition) {
                need |= bit;
                continue;
            }
            let at = self.conditions.len() as u32;
            if at >= CONDITIONS {
                return Err(full(
                    "conditions of several or with points",
                    CONDITIONS as usize,
                ));
            }
            self.conditions.insert(condition.clone(), 1 << at);
            need |= 1 << at;
            self.look_for(
                signature,
                condition,
                Match {
                    bits: 1 << at,
                    ..none()
                },
            )?;
        }
        let used = self.automaton.rule_count as usize;
        let Some(rule) = self.automaton.rules.get_mut(used) else {
            return Err(full("signatures with several conditions or points", RULES));
        };
        *rule = Rule {
            need,
            signature: number,
            points,
            ..Rule::default()
        };
        self.automaton.rule_count += 1;
        Ok(())
    }

    fn look_for(
        &mut self,
        signature: &Signature,
        condition: &Condition,
        found: Match,
    ) -> Result<(), CompileError> {
        match condition {
            Condition::Text {
                location,
                test,
                value,
                case_sensitive,
            } => {
                let pattern = text_pattern(*test, value, *case_sensitive, found);
                self.walks
                    .entry(Walk::Location(*location))
                    .or_default()
                    .push(pattern);
                Ok(())
            }
            Condition::Over { header, limit } => self.limit(signature, *header, *limit, found),
        }
    }

    fn limit(
        &mut self,
        signature: &Signature,
        header: Counted,
        limit: u16,
        hit: Match,
    ) -> Result<(), CompileError> {
        let used = self.automaton.over_count as usize;
        let Some(over) = self.automaton.overs.get_mut(used) else {
            let id = signature.id.clone();
            return Err(CompileError::TooMany {
                id,
                kind: "limits on headers",
                max: OVERS,
            });
        };
        *over = Over {
            hit,
            limit,
            header: header as u8,
            ..Over::default()
        };
        self.automaton.over_count += 1;
        Ok(())
    }

    fn add_domain(&mut self, of: &ServiceDomains, name: &str) {
        let found = Match {
            bits: DOMAIN,
            ..none()
        };
        self.stats.domains += 1;
        let mut add = |walk, expression| {
            let pattern = Pattern {
                expression,
                case_sensitive: false,
                found,
            };
            self.walks.entry(walk).or_default().push(pattern);
        };
        add(Walk::Domain(of.service), pattern::host(name));
        if of.anywhere {
            add(Walk::Anywhere(of.service), pattern::anywhere(name));
        }
    }

    fn finish(mut self) -> Result<Compiled, Refusal> {
        let size = |_: Fault| Refusal::Size(None);
        let mut automata = Vec::with_capacity(self.walks.len());
        for patterns in self.walks.values() {
            automata.push((determinize(patterns).map_err(size)?, &patterns[..]));
        }
        let graph = minimize(&Graph::join(&automata).map_err(size)?);
        let (layout, starts) =
            lay_out(&graph, &mut self.automaton).map_err(|needed| Refusal::Size(Some(needed)))?;
        for (walk, start) in self.walks.keys().zip(starts) {
            let slot = match *walk {
                Walk::Location(location) => &mut self.automaton.start[location as usize],
                Walk::Domain(service) => &mut self.automaton.domain_start[service],
                Walk::Anywhere(service) => &mut self.automaton.domain_anywhere_start[service],
            };
            *slot = start;
        }
        let stats = Stats {
            states: layout.states,
            classes: layout.classes,
            bytes: 2 * layout.entries(),
            conditions: self.conditions.len(),
            ..self.stats
        };
        Ok(Compiled {
            automaton: self.automaton,
            names: self.names,
            stats,
        })
    }
}

fn none() -> Match {
    Match::default()
}

fn text_pattern(test: Test, value: &str, case_sensitive: bool, found: Match) -> Pattern {
    Pattern {
        expression: pattern::expression(test, value),
        case_sensitive,
        found,
    }
}

fn matches_empty(dfa: &Dfa) -> bool {
    dfa.start_state_forward(&Input::new(""))
        .is_ok_and(|start| dfa.is_match_state(dfa.next_eoi_state(start)))
}
