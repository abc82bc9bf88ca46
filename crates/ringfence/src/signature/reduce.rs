//! The smallest equal graph, and its layout as the judge's table.

use std::collections::HashMap;

use ringfence_core::automaton::{Automaton, DEAD, MATCHES, Match, TRANSITIONS};

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

/// Merges states that no value tells apart. State 0 stays the dead state.
pub(super) fn minimize(graph: &Graph) -> Graph {
    let mut block = alive(graph);
    let mut size = vec![0u32; 1 + block.iter().copied().max().unwrap_or(0) as usize];
    let count_sizes = |block: &[u32], size: &mut Vec<u32>| {
        size.iter_mut().for_each(|n| *n = 0);
        for &b in block {
            size[b as usize] += 1;
        }
    };
    count_sizes(&block, &mut size);
    loop {
        let before = size.len();
        // Within a block, states part when their targets lie in different blocks. The first kind
        // that is met keeps the block's number.
        let mut kinds: HashMap<(u32, Vec<u32>), u32> = HashMap::new();
        let mut kept = vec![false; before];
        let mut next = before as u32;
        let mut after = block.clone();
        for state in 0..graph.len() {
            let own = block[state];
            if own == 0 || size[own as usize] == 1 {
                continue;
            }
            let targets = graph
                .row(state)
                .iter()
                .map(|&to| block[to as usize])
                .collect();
            after[state] = *kinds.entry((own, targets)).or_insert_with(|| {
                if !std::mem::replace(&mut kept[own as usize], true) {
                    return own;
                }
                next += 1;
                next - 1
            });
        }
        block = after;
        size.resize(next as usize, 0);
        count_sizes(&block, &mut size);
        if size.len() == before {
            break;
        }
    }
    quotient(graph, &block, size.len())
}

/// The first partition: block 0 for states from which no match can be reached, the others by what
/// they stand for.
fn alive(graph: &Graph) -> Vec<u32> {
    let mut sources = vec![Vec::new(); graph.len()];
    for state in 0..graph.len() {
        for &to in graph.row(state) {
            sources[to as usize].push(state);
        }
    }
    let mut leads = vec![false; graph.len()];
    let mut waiting: Vec<usize> = (0..graph.len())
        .filter(|&s| graph.found[s] != Match::default())
        .collect();
    while let Some(state) = waiting.pop() {
        if !std::mem::replace(&mut leads[state], true) {
            waiting.extend(sources[state].iter().filter(|&&from| !leads[from]));
        }
    }
    let mut kinds: HashMap<Match, u32> = HashMap::new();
    (0..graph.len())
        .map(|state| {
            if !leads[state] {
                return 0;
            }
            let next = kinds.len() as u32 + 1;
            *kinds.entry(graph.found[state]).or_insert(next)
        })
        .collect()
}

fn quotient(graph: &Graph, block: &[u32], blocks: usize) -> Graph {
    let mut rows = vec![0; blocks * graph.width];
    let mut found = vec![Match::default(); blocks];
    for state in 0..graph.len() {
        let at = block[state] as usize;
        if at == 0 {
            continue;
        }
        found[at] = graph.found[state];
        let row = &mut rows[at * graph.width..(at + 1) * graph.width];
        for (to, &from) in row.iter_mut().zip(graph.row(state)) {
            *to = block[from as usize];
        }
    }
    let starts = graph
        .starts
        .iter()
        .map(|&state| block[state as usize])
        .collect();
    Graph {
        classes: graph.classes,
        width: graph.width,
        rows,
        found,
        starts,
    }
}

/// Writes a graph into the table and gives the state that each start became. Refuses, with the size
/// that it would need, what is larger than the table.
pub(super) fn lay_out(graph: &Graph, table: &mut Automaton) -> Result<(Layout, Vec<u16>), Layout> {
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
        stride: (columns.len() + 2).next_multiple_of(2),
        matches: matches.len(),
    };
    if !layout.fits() {
        return Err(layout);
    }

    let (hits, plain): (Vec<_>, Vec<_>) =
        (0..graph.len()).partition(|&state| graph.found[state] != Match::default());
    let first_match = plain.len() * layout.stride / 2;
    let mut numbers = vec![DEAD; graph.len()];
    let order: Vec<usize> = plain.into_iter().chain(hits).collect();
    for (at, &state) in order.iter().enumerate() {
        // Below 65,536, because the rows fit: a state is half the number of an entry.
        numbers[state] = (at * layout.stride / 2) as u16;
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
fn distinct_columns(graph: &Graph) -> (Vec<u8>, Vec<usize>) {
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
