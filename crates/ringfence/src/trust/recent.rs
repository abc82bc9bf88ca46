//! A table of so much room, from which what was quiet for the longest time goes first.

use std::collections::BTreeMap;

/// A table with room for some entries.
#[derive(Debug, Clone)]
pub struct Recent<K, V> {
    room: usize,
    /// Counts up with each entry that is touched.
    turn: u64,
    entries: BTreeMap<K, (u64, V)>,
    /// The entries by their last turn.
    turns: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V: Default> Recent<K, V> {
    /// An empty one with room for so many.
    pub fn new(room: usize) -> Self {
        Self {
            room,
            turn: 0,
            entries: BTreeMap::new(),
            turns: BTreeMap::new(),
        }
    }

    /// The entry of a key, which is now the last to go.
    pub fn touch(&mut self, key: &K) -> &mut V {
        self.turn += 1;
        if !self.entries.contains_key(key)
            && self.entries.len() >= self.room
            && let Some((_, quiet)) = self.turns.pop_first()
        {
            self.entries.remove(&quiet);
        }
        let entry = self.entries.entry(key.clone()).or_default();
        self.turns.remove(&entry.0);
        entry.0 = self.turn;
        self.turns.insert(self.turn, key.clone());
        &mut entry.1
    }

    /// All entries by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, (_, value))| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quietest_goes() {
        let mut recent = Recent::<u32, u32>::new(3);
        for key in [1, 2, 3, 1, 4, 5, 1] {
            *recent.touch(&key) += 1;
        }
        let left: Vec<_> = recent.iter().map(|(key, count)| (*key, *count)).collect();
        assert_eq!(left, [(1, 3), (4, 1), (5, 1)]);
        for key in 100..10_000 {
            recent.touch(&key);
            assert!(recent.entries.len() == 3 && recent.turns.len() == 3);
        }
    }
}
