//! Programs for `cargo xtask bench` alone: the floor that every figure is taken from, and a source
//! of packets that gives each run of `BPF_PROG_TEST_RUN` another sender before it hands the frame
//! on. Without it one packet would be judged again and again from hot caches.
#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::helpers::generated::{bpf_get_prandom_u32, bpf_tail_call};
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, ProgramArray};
use aya_ebpf::programs::XdpContext;

/// What the source writes: eight words, in the order of the fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Sender {
    /// 4: one of `count` IPv4 addresses; 5: any IPv4 address; 6: any IPv6 address.
    kind: u32,
    /// Kind 4: the first address, as a number.
    base: u32,
    /// Kind 4: the distance between two.
    step: u32,
    /// Kind 4: how many there are, at least 1.
    count: u32,
    /// Offset of the eight bytes of the frame that make a transaction another; 0: none.
    branch: u32,
    reserved: [u32; 3],
}

/// How frames are changed.
#[map]
pub static SENDER: Array<Sender> = Array::with_max_entries(1, 0);

/// What judges them.
#[map]
pub static NEXT: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Drops all.
#[xdp(frags)]
pub fn bare_drop(_: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// Passes all.
#[xdp(frags)]
pub fn bare_pass(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Writes a sender and a transaction into the frame and hands it on.
#[xdp(frags)]
pub fn source(context: XdpContext) -> u32 {
    let _ = change(&context);
    let next = (&raw const NEXT).cast_mut().cast::<c_void>();
    // Called as it is: the method of the map takes a call that came back with 0 for impossible.
    // SAFETY: the context is the one the kernel gave, and the map is a program array.
    unsafe { bpf_tail_call(context.as_ptr(), next, 0) };
    xdp_action::XDP_ABORTED
}

#[inline(always)]
fn random() -> u32 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_prandom_u32() }
}

#[inline(always)]
fn change(context: &XdpContext) -> Option<()> {
    let sender = SENDER.get(0)?;
    match sender.kind {
        4 => {
            let place = (u64::from(random()) * u64::from(sender.count) >> 32) as u32;
            let address = sender.base.wrapping_add(place.wrapping_mul(sender.step));
            write(context, 26, address.to_be())?;
        }
        5 => {
            // 1.0.0.0 to 223.255.255.255, but not loopback.
            let value = random();
            let first = ((value >> 24) * 223 >> 8) + 1;
            let first = if first == 127 { 128 } else { first };
            write(context, 26, (first << 24 | value & 0x00ff_ffff).to_be())?;
        }
        _ => {
            // The blocks that four registries hand out of: 2400::/12, 2600::/12, 2800::/12, 2a00::/12.
            let value = random();
            let first = [0x24, 0x26, 0x28, 0x2a][(value >> 30) as usize & 3] << 24;
            write(context, 22, (first | value & 0x000f_ffff).to_be())?;
            write(context, 26, random())?;
        }
    }
    if sender.branch != 0 {
        let value = u64::from(random()) << 32 | u64::from(random());
        // Letters from a to p.
        let letters = (value & 0x0f0f_0f0f_0f0f_0f0f) + 0x6161_6161_6161_6161;
        write(context, sender.branch & 0x7ff, letters)?;
    }
    Some(())
}

/// Writes a value at `offset` of the frame.
#[inline(always)]
fn write<T>(context: &XdpContext, offset: u32, value: T) -> Option<()> {
    let from = context.data() + offset as usize;
    if from + size_of::<T>() > context.data_end() {
        return None;
    }
    // SAFETY: within the packet, as checked; the machines that the kernel loads this program on
    // (x86-64, arm64) write unaligned words. Single bytes would make the judge wait for them.
    unsafe { (from as *mut T).write(value) };
    Some(())
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The licence: as that of the programs that this one hands on to.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
