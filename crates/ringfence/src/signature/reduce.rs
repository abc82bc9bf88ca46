//! Graphs that find the same with fewer states.

use std::collections::HashMap;

use ringfence_core::automaton::Match;

use super::determinize::Graph;

/// Lets states find what every way on from them would find, so that a match is known with its last
/// byte, and drops what every way into a state has found already. Walks of whole values find the
/// same: it makes no difference how often something is noted.
pub(super) fn notice_early(graph: Graph<Vec<Match>>) -> Graph<Match> {
    let mut early = graph.found.clone();
    for (state, found) in early.iter_mut().enumerate() {
        // A walk does not note the state in which it starts.
        if graph.starts.contains(&(state as u32)) {
            continue;
        }
        let mut ahead = graph.row(state).iter().map(|&to| &graph.found[to as usize]);
        let Some(first) = ahead.next() else { continue };
        let mut common = first.clone();
        for other in ahead {
            common.retain(|one| other.contains(one));
        }
        common.retain(|one| !found.contains(one));
        found.extend(common);
    }
    // Nothing is found before the first byte, so on each way some state keeps what is dropped here.
    let mut known: Vec<Option<Vec<Match>>> = vec![None; graph.len()];
    for (from, before) in early.iter().enumerate() {
        for &to in graph.row(from) {
            match &mut known[to as usize] {
                Some(known) => known.retain(|one| before.contains(one)),
                none => *none = Some(before.clone()),
            }
        }
    }
    let found = early.iter().zip(known).map(|(found, known)| {
        let known = known.unwrap_or_default();
        let new = found.iter().filter(|&one| !known.contains(one));
        new.fold(Match::default(), |all, one| both(&all, one))
    });
    let found = found.collect();
    let Graph {
        classes,
        width,
        rows,
        starts,
        ..
    } = graph;
    Graph {
        classes,
        width,
        rows,
        found,
        starts,
    }
}

/// What two matches stand for together: of two signatures the one with the lower number, which is the stricter.
pub(super) fn both(a: &Match, b: &Match) -> Match {
    let signatures = [a.signature, b.signature].into_iter();
    Match {
        bits: a.bits | b.bits,
        signature: signatures.filter(|number| *number != 0).min().unwrap_or(0),
        ..Match::default()
    }
}

/// Merges states that no value tells apart. State 0 stays the dead state.
pub(super) fn minimize(graph: &Graph<Match>) -> Graph<Match> {
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
fn alive(graph: &Graph<Match>) -> Vec<u32> {
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

fn quotient(graph: &Graph<Match>, block: &[u32], blocks: usize) -> Graph<Match> {
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
