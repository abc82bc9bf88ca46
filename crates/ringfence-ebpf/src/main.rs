//! The BPF programs of Ringfence: bytes in, the judge, count, report. No rule stands here.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "the only compare and swap that links below BPF CPU v4"
)]

mod egress;
mod frame;
mod maps;
mod parts;
mod report;

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use ringfence_core::bench::Tables;
use ringfence_core::control::{Control, INTERFACES};
use ringfence_core::judge::judge;
use ringfence_core::packet::Link;
use ringfence_core::reason::Action;

use crate::frame::Frame;

/// Judges each packet that an interface receives.
#[xdp(frags)]
pub fn ingress(context: XdpContext) -> u32 {
    match verdict(&context) {
        Some(Action::Drop) => xdp_action::XDP_DROP,
        // Maps are never missing once the program is loaded; and a fence without a policy is open.
        Some(Action::Pass) | None => xdp_action::XDP_PASS,
    }
}

#[inline(always)]
fn verdict(context: &XdpContext) -> Option<Action> {
    let control = maps::CONTROL.get(0)?;
    let policy = maps::POLICY.get(control.policy())?;
    let countries = maps::COUNTRY.get(control.countries())?;
    // SAFETY: the CPU's own window; the program is not interrupted by itself.
    let scan = unsafe { &mut *maps::SCAN.get_ptr_mut(0)? };
    // SAFETY: the context is the one the kernel gave.
    let index = unsafe { (*context.ctx).ingress_ifindex };
    let (place, link) = interface(control, index);
    let tables = Tables {
        policy,
        countries,
        key: &control.key,
    };
    let mut frame = Frame::new(context.ctx, control);
    judge(&mut frame, tables, scan, place, link);
    let verdict = &scan.verdict;
    report::count(verdict);
    if verdict.reason().action() == Action::Drop {
        report::report_drop(context.ctx, control, scan);
    }
    Some(verdict.action())
}

/// The place of an interface among the guarded ones, and its link type.
#[inline(always)]
fn interface(control: &Control, index: u32) -> (u32, Link) {
    let mut place = 0;
    while place < INTERFACES {
        let entry = &control.interfaces[place];
        if entry.index == index {
            let link = if entry.link == Link::RawIp as u32 {
                Link::RawIp
            } else {
                Link::Ethernet
            };
            return (place as u32, link);
        }
        if entry.index == 0 {
            break;
        }
        place += 1;
    }
    (31, Link::Ethernet)
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The licence: the kernel wants one compatible with the GPL for some helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
