//! Counts and events.

use core::ffi::c_void;

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::bpf_xdp_load_bytes;
use aya_ebpf::maps::PerCpuArray;
use ringfence_core::bench::Store;
use ringfence_core::control::{Control, EventCount};
use ringfence_core::event::{EVIDENCE, Event, due};
use ringfence_core::limit::shared;
use ringfence_core::packet::Bytes;
use ringfence_core::reason::{Action, REASONS, Reason};
use ringfence_core::scan::Scan;
use ringfence_core::trust::Lesson;
use ringfence_core::verdict::Verdict;

use crate::frame::Frame;
use crate::maps;

#[inline(always)]
fn add(counters: &PerCpuArray<u64>, index: u32) {
    if let Some(counter) = counters.get_ptr_mut(index) {
        // SAFETY: the CPU's own word; the program is not interrupted by itself.
        unsafe { *counter += 1 };
    }
}

/// Counts what became of an event.
#[inline(always)]
pub fn count_event(what: EventCount) {
    add(&maps::EVENT_STATS, what as u32);
}

/// Tells the daemon what was learned, where this CPU's share allows it.
#[inline(always)]
pub fn tell(control: &Control, lesson: &Lesson) {
    let Some(word) = maps::LESSON_LIMIT.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the CPU's own word.
    let (new, fine) = shared(unsafe { *word }, &control.events, lesson.time);
    if !fine {
        return count_event(EventCount::LessonsLost);
    }
    // SAFETY: as above.
    unsafe { *word = new };
    if maps::LESSONS.output::<Lesson>(lesson, 0).is_err() {
        count_event(EventCount::LessonsLost);
    }
}

/// Counts a verdict.
#[inline(always)]
pub fn count(verdict: &Verdict) {
    add(
        &maps::COUNTERS,
        u32::from(verdict.service) * REASONS as u32 + u32::from(verdict.reason_number()),
    );
    if let Some(country) = verdict.country() {
        let dropped = (verdict.reason().action() == Action::Drop) as u32;
        add(&maps::COUNTRIES, u32::from(country.number()) * 2 + dropped);
    }
}

/// Reports a drop, where one of its source and reason is due and this CPU's share allows it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn report_drop(
    context: *mut xdp_md,
    control: *const Control,
    scan: *const Scan,
) -> u32 {
    if context.is_null() || control.is_null() || scan.is_null() {
        return 0;
    }
    // SAFETY: none is null, and whoever calls gives values of these types.
    let (control, verdict) = unsafe { (&*control, &(*scan).verdict) };
    report(&mut Frame::new(context, control), context, control, verdict);
    0
}

#[inline(always)]
fn report<B: Bytes + Store>(
    bench: &mut B,
    context: *mut xdp_md,
    control: &Control,
    verdict: &Verdict,
) {
    // SAFETY: the context is the one the kernel gave.
    let interface = unsafe { (*context).ingress_ifindex };
    let now = bench.now();
    let Some(word) = maps::EVENT_LIMIT.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the CPU's own word.
    let (new, fine) = shared(unsafe { *word }, &control.events, now);
    // Asked first: it is what a flood from forged senders meets.
    if !fine {
        return count_event(EventCount::Limited);
    }
    let urgent = verdict.destroy() || verdict.banned().is_some();
    if !urgent && !due(bench, &control.key, verdict, now) {
        return count_event(EventCount::Sampled);
    }
    // SAFETY: as above.
    unsafe { *word = new };
    let Some(mut room) = maps::EVENTS.reserve::<Event>(0) else {
        return count_event(EventCount::Lost);
    };
    let event = room.as_mut_ptr();
    // SAFETY: the room is an event's, and every field but the evidence behind its length is
    // written before it is submitted; the ring buffer was zeroed, so the rest is initialised too.
    unsafe {
        (*event).time = now;
        (*event).source = verdict.source;
        (*event).destination = verdict.destination;
        (*event).interface = interface;
        (*event).length = bench.frame_length();
        (*event).source_port = verdict.source_port;
        (*event).destination_port = verdict.destination_port;
        (*event).signature = verdict.signature;
        (*event).protocol = verdict.protocol;
        (*event).reason = verdict.reason_number();
        (*event).service = verdict.service;
        (*event).class = verdict.class;
        (*event).country = match verdict.country() {
            Some(country) => country.number(),
            None => 0,
        };
        (*event).enforced = verdict.action() as u8;
        (*event).banned = match verdict.banned() {
            Some(cause) => cause as u8,
            None => 0,
        };
        (*event).destroy = verdict.destroy() as u8;
        let inspected = !matches!(verdict.reason(), Reason::Denied | Reason::Banned);
        let mut length = 0;
        if inspected && verdict.length != 0 {
            let most = if verdict.length > EVIDENCE as u32 {
                EVIDENCE as u32
            } else {
                verdict.length
            };
            let most = (core::hint::black_box(most).wrapping_sub(1) & (EVIDENCE as u32 - 1)) + 1;
            let into = (&raw mut (*event).evidence).cast::<c_void>();
            if bpf_xdp_load_bytes(context, verdict.payload, into, most) == 0 {
                length = most as u16;
            }
        }
        (*event).evidence_length = length;
    }
    room.submit(0);
    count_event(EventCount::Reported);
}
