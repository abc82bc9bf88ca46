//! Numbers, conditions and walks given out to signatures, and the table made of them.

use std::collections::{BTreeMap, HashMap};

use ringfence_core::automaton::{
    Action, Automaton, Counted, DOMAIN, Location, Match, OVERS, Over, RULES, Rule, SIGNATURES,
    TRANSITIONS,
};
use ringfence_core::sip::value_kinds;
use zerocopy::FromZeros;

use super::compile::{Compiled, ServiceDomains, Stats};
use super::determinize::{Fault, Graph, Pattern, determinize};
use super::error::CompileError;
use super::layout::{Layout, lay_out};
use super::model::{Condition, Effect, Signature, Test};
use super::pattern;
use super::reduce::{minimize, notice_early};

/// Conditions that one policy can tell apart; the last bit belongs to domains.
const CONDITIONS: u32 = DOMAIN.trailing_zeros();

/// The text that one walk reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Walk {
    Location(Location),
    Domain(usize),
    Anywhere(usize),
}

/// What is put into the table, and the numbers given out so far.
pub(super) struct Plan {
    automaton: Box<Automaton>,
    names: Vec<String>,
    conditions: HashMap<Condition, u64>,
    walks: BTreeMap<Walk, Vec<Pattern>>,
    stats: Stats,
}

impl Plan {
    pub(super) fn new() -> Self {
        Self {
            automaton: Automaton::new_box_zeroed()
                .expect("half a megabyte can be allocated, or the process aborts elsewhere"),
            names: vec![String::new()],
            conditions: HashMap::new(),
            walks: BTreeMap::new(),
            stats: Stats {
                max_bytes: 2 * TRANSITIONS,
                ..Stats::default()
            },
        }
    }

    /// Gives the next number to a signature and places to its conditions.
    pub(super) fn add_signature(&mut self, signature: &Signature) -> Result<(), CompileError> {
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
                    ..Match::default()
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
                    ..Match::default()
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

    /// Adds a name to the domains of a service.
    pub(super) fn add_domain(&mut self, of: &ServiceDomains, name: &str) {
        let found = Match {
            bits: DOMAIN,
            ..Match::default()
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

    /// Makes the table, or tells the size that it would need if that can be counted.
    pub(super) fn finish(mut self) -> Result<Compiled, Option<Layout>> {
        let size = |_: Fault| None;
        let mut automata = Vec::with_capacity(self.walks.len());
        for patterns in self.walks.values() {
            automata.push((determinize(patterns).map_err(size)?, &patterns[..]));
        }
        let graph = minimize(&notice_early(Graph::join(&automata).map_err(size)?));
        let (layout, starts) = lay_out(&graph, &mut self.automaton).map_err(Some)?;
        for (walk, start) in self.walks.keys().zip(starts) {
            let slot = match *walk {
                Walk::Location(location) => &mut self.automaton.start[location as usize],
                Walk::Domain(service) => &mut self.automaton.domain_start[service],
                Walk::Anywhere(service) => &mut self.automaton.domain_anywhere_start[service],
            };
            *slot = start;
        }
        self.automaton.value_kinds = value_kinds(&self.automaton.start);
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

/// The expression of a condition on text.
pub(super) fn text_pattern(test: Test, value: &str, case_sensitive: bool, found: Match) -> Pattern {
    Pattern {
        expression: pattern::expression(test, value),
        case_sensitive,
        found,
    }
}
