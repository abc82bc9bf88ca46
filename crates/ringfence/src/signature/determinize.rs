//! Regular expressions as one graph of states.

use std::collections::HashMap;

use regex_automata::dfa::Automaton as _;
use regex_automata::dfa::dense;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use ringfence_core::automaton::Match;

use super::pattern;

/// An automaton of one walk, on the heap.
pub(super) type Dfa = dense::DFA<Vec<u32>>;

/// No pattern of a header needs more; what does is told apart from a mistake.
const SIZE_LIMIT: usize = 8 << 20;

/// An expression and what its match stands for.
pub(super) struct Pattern {
    pub expression: String,
    pub case_sensitive: bool,
    pub found: Match,
}

/// Why patterns are no automaton.
#[derive(Debug)]
pub(super) enum Fault {
    /// They need more states than can be built.
    Size,
    /// The expression is not supported, or wrong.
    Expression(String),
}

/// States with a row of targets each. State 0 is dead; a row has one entry for each byte class and
/// one for the end of the value.
///
/// `F` is what entering a state finds.
pub(super) struct Graph<F> {
    pub classes: [u8; 256],
    pub width: usize,
    pub rows: Vec<u32>,
    pub found: Vec<F>,
    pub starts: Vec<u32>,
}

/// Builds the automaton of patterns that are looked for in the same text.
pub(super) fn determinize(patterns: &[Pattern]) -> Result<Dfa, Fault> {
    let parsed = patterns
        .iter()
        .map(|p| {
            syntax::parse_with(&p.expression, &pattern::syntax(p.case_sensitive))
                .map_err(|error| Fault::Expression(error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let nfa: NFA = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .which_captures(WhichCaptures::None)
                .nfa_size_limit(Some(SIZE_LIMIT)),
        )
        .build_many_from_hir(&parsed)
        .map_err(|error| match error.size_limit() {
            Some(_) => Fault::Size,
            None => Fault::Expression(error.to_string()),
        })?;
    // Every pattern is to be seen, not only the first: `All` goes on after a match.
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .accelerate(false)
                .dfa_size_limit(Some(SIZE_LIMIT))
                .determinize_size_limit(Some(2 * SIZE_LIMIT)),
        )
        .build_from_nfa(&nfa)
        .map_err(|error| match error.is_size_limit_exceeded() {
            true => Fault::Size,
            false => Fault::Expression(error.to_string()),
        })
}

impl<F> Graph<F> {
    /// The number of states, the dead one included.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// The targets of a state.
    pub(super) fn row(&self, state: usize) -> &[u32] {
        &self.rows[state * self.width..(state + 1) * self.width]
    }
}

impl Graph<Vec<Match>> {
    /// Joins automata, each of which keeps its own start state.
    pub(super) fn join(automata: &[(Dfa, &[Pattern])]) -> Result<Self, Fault> {
        let (classes, samples) = joint_classes(automata);
        let width = samples.len() + 1;
        let mut graph = Self {
            classes,
            width,
            rows: vec![0; width],
            found: vec![Vec::new()],
            starts: Vec::with_capacity(automata.len()),
        };
        for (dfa, patterns) in automata {
            let start = graph.add(dfa, patterns, &samples)?;
            graph.starts.push(start);
        }
        Ok(graph)
    }

    fn add(&mut self, dfa: &Dfa, patterns: &[Pattern], samples: &[u8]) -> Result<u32, Fault> {
        let begin = Input::new("").anchored(Anchored::No);
        let begin = dfa
            .start_state_forward(&begin)
            .map_err(|error| Fault::Expression(error.to_string()))?;
        let mut numbers = HashMap::new();
        let mut waiting = Vec::new();
        let mut number = |graph: &mut Self, waiting: &mut Vec<StateID>, id: StateID| {
            // A quit state gives up on a byte; no pattern over bytes has one.
            if dfa.is_dead_state(id) || dfa.is_quit_state(id) {
                return 0;
            }
            *numbers.entry(id).or_insert_with(|| {
                waiting.push(id);
                let count = if dfa.is_match_state(id) {
                    dfa.match_len(id)
                } else {
                    0
                };
                let found =
                    (0..count).map(|at| patterns[dfa.match_pattern(id, at).as_usize()].found);
                graph.found.push(found.collect());
                graph.found.len() as u32 - 1
            })
        };
        let start = number(self, &mut waiting, begin);
        // States are numbered when first seen and their rows written in that order.
        let mut next = 0;
        while let Some(&id) = waiting.get(next) {
            next += 1;
            for &byte in samples {
                let target = number(self, &mut waiting, dfa.next_state(id, byte));
                self.rows.push(target);
            }
            let target = number(self, &mut waiting, dfa.next_eoi_state(id));
            self.rows.push(target);
        }
        Ok(start)
    }
}

/// Classes of bytes that no automaton tells apart, and one byte of each.
fn joint_classes(automata: &[(Dfa, &[Pattern])]) -> ([u8; 256], Vec<u8>) {
    let mut classes = [0; 256];
    let mut samples = Vec::new();
    let mut numbers = HashMap::new();
    for byte in 0..=u8::MAX {
        let key: Vec<u8> = automata
            .iter()
            .map(|(dfa, _)| dfa.byte_classes().get(byte))
            .collect();
        classes[usize::from(byte)] = *numbers.entry(key).or_insert_with(|| {
            samples.push(byte);
            (samples.len() - 1) as u8
        });
    }
    (classes, samples)
}
