//! The fence under as many packets as this machine can send.

mod counted;
#[path = "../../../crates/ringfence/tests/kernel/frames.rs"]
mod frames;
mod reloaded;

use std::collections::BTreeMap;

use aya::maps::{Map, MapData, PerCpuArray};
use ringfence::engine::xdp::Pins;
use ringfence_lab::Ringfence;

/// A map of one number for each CPU: the CPUs' numbers by index, where they are not all 0.
fn numbers(fence: &Ringfence<'_>, name: &str) -> BTreeMap<usize, Vec<u64>> {
    let map = MapData::from_pin(Pins::below(&fence.bpffs()).map(name)).unwrap();
    let map: PerCpuArray<_, u64> = Map::PerCpuArray(map).try_into().unwrap();
    let all = (0..map.len()).map(|index| (index as usize, map.get(&index, 0).unwrap().to_vec()));
    all.filter(|(_, each)| each.iter().any(|count| *count != 0))
        .collect()
}
