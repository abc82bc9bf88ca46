//! What a server itself says of a source, counted where the judge counts what packets say.

use ringfence_core::limit::{Limit, Owner, in_debt, spent, step, yields};

use super::{Engine, FenceError};

impl dyn Engine {
    /// Takes tokens of a rate at all services together; how many are spent then. `hash` is of the fence's key, `slot` of
    /// [`of_source`](ringfence_core::judge::of_source), `now` boot time in ns.
    ///
    /// Other words of the same bucket are written as they were read: what packets add to them meanwhile is lost.
    pub fn charge(
        &mut self,
        hash: u64,
        slot: u32,
        limit: &Limit,
        tokens: u32,
        now: u64,
    ) -> Result<u32, FenceError> {
        let owner = Owner::new(hash, 0, slot);
        let read = |index: u32| {
            let found = self.bucket(index)?;
            Ok::<_, FenceError>(found.unwrap_or_default())
        };
        let (mut index, way) = (owner.bucket(0), owner.way());
        let mut bucket = read(index)?;
        if !owner.owns(bucket[way]) && in_debt(bucket[way], now) {
            let second = owner.bucket(1);
            let other = read(second)?;
            if owner.owns(other[way]) || yields(bucket[way], other[way], now) {
                (index, bucket) = (second, other);
            }
        }
        for _ in 0..tokens {
            (bucket[way], _) = step(bucket[way], owner, limit, now, true);
        }
        self.set_bucket(index, &bucket)?;
        Ok(spent(bucket[way], owner, limit, now))
    }
}
