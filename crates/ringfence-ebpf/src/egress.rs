//! What this host sends.

use aya_ebpf::bindings::TC_ACT_SHOT;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use ringfence_core::bench::Tables;
use ringfence_core::control::EventCount;
use ringfence_core::judge::outgoing;
use ringfence_core::reason::Action;

use crate::frame::Frame;
use crate::maps;
use crate::report::count_event;

/// Leaves the packet to whatever program comes next.
const NEXT: i32 = -1;

/// Judges each packet that an interface sends.
#[classifier]
pub fn egress(context: TcContext) -> i32 {
    match verdict(&context) {
        Some(Action::Drop) => {
            count_event(EventCount::Silenced);
            TC_ACT_SHOT
        }
        Some(Action::Pass) | None => NEXT,
    }
}

#[inline(always)]
fn verdict(context: &TcContext) -> Option<Action> {
    let control = maps::CONTROL.get(0)?;
    let policy = maps::POLICY.get(control.policy())?;
    let countries = maps::COUNTRY.get(control.countries())?;
    // SAFETY: the CPU's own; the program is not interrupted by itself.
    let state = unsafe { &mut *maps::OUTGOING.get_ptr_mut(0)? };
    let skb = context.skb.skb;
    // SAFETY: the context is the one the kernel gave.
    let (_, link) = crate::interface(control, unsafe { (*skb).ifindex });
    let tables = Tables {
        policy,
        countries,
        key: &control.key,
    };
    let mut frame = Frame::new(skb, control);
    Some(outgoing(&mut frame, tables, state, link))
}
