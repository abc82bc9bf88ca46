//! What is counted against a source, forgotten: whoever is let in again is not to be kept out by what was before.

use ringfence_core::address::Address;
use ringfence_core::limit::{Owner, SLOTS};
use ringfence_core::policy::SERVICES;
use ringfence_core::trust::flow_hash;

use super::{Engine, FenceError};

impl dyn Engine {
    /// Forgets all rates and refusals of a source, of the /24 or /48 that it is in, and of its flows from these ports.
    /// Other words of the same buckets are written as they were read: what packets add to them meanwhile may be lost,
    /// which forgives those too.
    pub fn forgive(&mut self, source: Address, ports: &[u16]) -> Result<(), FenceError> {
        let key = self.key();
        let whole = key.source(source);
        let flows = ports.iter().map(|port| flow_hash(whole, *port));
        for counted in [whole, key.net(source)].into_iter().chain(flows) {
            // Service 0 stands for all of them together.
            for service in (0..=u8::MAX).take(SERVICES) {
                for slot in 0..SLOTS {
                    let owner = Owner::new(counted, service, slot);
                    self.forget(&owner, owner.bucket(0))?;
                    self.forget(&owner, owner.bucket(1))?;
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, owner: &Owner, index: u32) -> Result<(), FenceError> {
        let Some(mut bucket) = self.bucket(index)? else {
            return Ok(());
        };
        let word = &mut bucket[owner.way()];
        if !owner.owns(*word) {
            return Ok(());
        }
        *word = 0;
        self.set_bucket(index, &bucket)
    }
}
