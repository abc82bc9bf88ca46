//! A graph as the judge's table.

use std::collections::HashMap;

use ringfence_core::automaton::{Automaton, DEAD, MATCHES, Match, ROW_UNIT, TRANSITIONS};

use super::determinize::Graph;

/// How much of the table a policy uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub states: usize,
    pub classes: usize,
    /// Entries of a row.
    pub stride: usize,
    pub matches: usize,
}

impl Layout {
    pub(super) fn entries(&self) -> usize {
        self.states * self.stride
    }

    fn fits(&self) -> bool {
        self.entries() <= TRANSITIONS && self.matches <= MATCHES
    }
}

/// Writes a graph into the table and gives the state that each start became. Refuses, with the size
/// that it would need, what is larger than the table.
pub(super) fn lay_out(
    graph: &Graph<Match>,
    table: &mut Automaton,
) -> Result<(Layout, Vec<u16>), Layout> {
    let (merged, columns) = distinct_columns(graph);
    let mut matches = vec![Match::default()];
    let mut match_number = HashMap::new();
    for &found in graph
        .found
        .iter()
        .filter(|&&found| found != Match::default())
    {
        match_number.entry(found).or_insert_with(|| {
            matches.push(found);
            matches.len() - 1
        });
    }
    let layout = Layout {
        states: graph.len(),
        classes: columns.len(),
        stride: (columns.len() + 2).next_multiple_of(ROW_UNIT),
        matches: matches.len(),
    };
    if !layout.fits() {
        return Err(layout);
    }

    let (hits, plain): (Vec<_>, Vec<_>) =
        (0..graph.len()).partition(|&state| graph.found[state] != Match::default());
    let first_match = plain.len() * layout.stride / ROW_UNIT;
    let mut numbers = vec![DEAD; graph.len()];
    let order: Vec<usize> = plain.into_iter().chain(hits).collect();
    for (at, &state) in order.iter().enumerate() {
        // Below 65,536, because the rows fit.
        numbers[state] = (at * layout.stride / ROW_UNIT) as u16;
    }
    let end = columns.len();
    for (at, &state) in order.iter().enumerate() {
        let row = &mut table.transitions[at * layout.stride..(at + 1) * layout.stride];
        let targets = graph.row(state);
        for (to, &column) in row.iter_mut().zip(&columns) {
            *to = numbers[targets[column] as usize];
        }
        row[end] = numbers[targets[graph.width - 1] as usize];
        row[end + 1] = match_number.get(&graph.found[state]).copied().unwrap_or(0) as u16;
    }
    for byte in 0..256 {
        table.classes[byte] = merged[usize::from(graph.classes[byte])];
    }
    table.end_class = end as u32;
    table.first_match = first_match as u32;
    table.matches[..matches.len()].copy_from_slice(&matches);
    Ok((
        layout,
        graph
            .starts
            .iter()
            .map(|&state| numbers[state as usize])
            .collect(),
    ))
}

/// Classes that are left when equal columns are merged: the new class of each old one, and one old
/// class of each new one.
fn distinct_columns(graph: &Graph<Match>) -> (Vec<u8>, Vec<usize>) {
    let mut columns = Vec::new();
    let mut numbers: HashMap<Vec<u32>, u8> = HashMap::new();
    let merged = (0..graph.width - 1)
        .map(|class| {
            let column = (0..graph.len())
                .map(|state| graph.row(state)[class])
                .collect();
            *numbers.entry(column).or_insert_with(|| {
                columns.push(class);
                (columns.len() - 1) as u8
            })
        })
        .collect();
    (merged, columns)
}
