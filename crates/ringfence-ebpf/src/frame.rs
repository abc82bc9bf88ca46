//! The kernel's bench: packet bytes by direct access, tables in maps, loops by `bpf_loop`.

use core::ffi::{c_long, c_void};
use core::intrinsics::{AtomicOrdering, atomic_cxchg};
use core::mem::MaybeUninit;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::generated::{
    bpf_ktime_get_coarse_ns, bpf_loop, bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
};
use aya_ebpf::maps::Array;
use aya_ebpf::maps::lpm_trie::Key;
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Bench, Buckets, Cells, Listed, Store, Tables, Turn};
use ringfence_core::control::{Control, EventCount};
use ringfence_core::country::CountryTable;
use ringfence_core::feed::{Head, listed, near};
use ringfence_core::judge::Part;
use ringfence_core::limit::Bucket;
use ringfence_core::packet::Bytes;
use ringfence_core::policy::Policy;
use ringfence_core::scan::{Scan, Step, WINDOW};
use ringfence_core::search::Search;
use ringfence_core::trust::{Account, Contact, ContactKey, Entry, Lesson, Standing};
use zerocopy::FromBytes;

use crate::maps;
use crate::parts;
use crate::report::{self, count_event};

/// 1: the time is taken from the control map. Written before loading, by tests only.
#[unsafe(no_mangle)]
static TEST_CLOCK: u32 = 0;

/// The kernel's context of a frame.
pub trait Packet: Copy {
    /// Address of the first byte.
    fn data(self) -> usize;
    /// Address behind the last byte that can be read directly.
    fn data_end(self) -> usize;
    /// Bytes in the frame.
    fn length(self) -> u32;
    /// Copies `length` bytes from `offset` on, wherever in the frame they lie; whether they were there.
    ///
    /// # Safety
    /// There is room for as many bytes at `into`.
    unsafe fn copy(self, offset: u32, into: *mut c_void, length: u32) -> bool;
    /// Calls a part of the judgement.
    fn part(self, part: Part, control: &Control, tables: Tables<'_>, scan: &mut Scan) -> u32;

    /// Copies a value from `offset` on, wherever in the frame it lies.
    #[inline(always)]
    fn load<T: FromBytes>(self, offset: u32) -> Option<T> {
        let mut value = MaybeUninit::<T>::uninit();
        let into = value.as_mut_ptr().cast::<c_void>();
        // SAFETY: there is room for a value, which may be any bytes, and it is used only if written.
        unsafe {
            let loaded = self.copy(offset, into, size_of::<T>() as u32);
            loaded.then(|| value.assume_init())
        }
    }
}

impl Packet for *mut xdp_md {
    #[inline(always)]
    fn data(self) -> usize {
        // SAFETY: the context is the one the kernel gave. So below.
        unsafe { (*self).data as usize }
    }

    #[inline(always)]
    fn data_end(self) -> usize {
        // SAFETY: as above.
        unsafe { (*self).data_end as usize }
    }

    #[inline(always)]
    fn length(self) -> u32 {
        // SAFETY: as above.
        unsafe { bpf_xdp_get_buff_len(self) as u32 }
    }

    #[inline(always)]
    unsafe fn copy(self, offset: u32, into: *mut c_void, length: u32) -> bool {
        // SAFETY: the caller's word.
        unsafe { bpf_xdp_load_bytes(self, offset, into, length) == 0 }
    }

    #[inline(always)]
    fn part(self, part: Part, control: &Control, tables: Tables<'_>, scan: &mut Scan) -> u32 {
        parts::ingress::call(part, self, control, tables, scan)
    }
}

impl Packet for *mut __sk_buff {
    #[inline(always)]
    fn data(self) -> usize {
        // SAFETY: the context is the one the kernel gave. So below.
        unsafe { (*self).data as usize }
    }

    #[inline(always)]
    fn data_end(self) -> usize {
        // SAFETY: as above.
        unsafe { (*self).data_end as usize }
    }

    #[inline(always)]
    fn length(self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self).len }
    }

    #[inline(always)]
    unsafe fn copy(self, offset: u32, into: *mut c_void, length: u32) -> bool {
        // SAFETY: the caller's word.
        unsafe { bpf_skb_load_bytes(self.cast::<c_void>(), offset, into, length) == 0 }
    }

    #[inline(always)]
    fn part(self, part: Part, control: &Control, tables: Tables<'_>, scan: &mut Scan) -> u32 {
        parts::egress::call(part, self, control, tables, scan)
    }
}

/// A frame and its kernel context.
pub struct Frame<'a, P = *mut xdp_md> {
    context: P,
    control: &'a Control,
}

/// The furthest byte of a frame that a header is looked for at. All its bits are set.
const FURTHEST: u32 = 0x3fff;

impl<'a, P: Packet> Frame<'a, P> {
    /// The frame of a program's context.
    #[inline(always)]
    pub fn new(context: P, control: &'a Control) -> Self {
        Self { context, control }
    }

    /// The value at `offset`.
    #[inline(always)]
    fn read<T: FromBytes>(&self, offset: u32) -> Option<T> {
        // No header lies further on; the verifier wants a bound.
        if offset > FURTHEST {
            return None;
        }
        // The same value, bounded whatever register it is kept in: Linux 6.1 forgets the bound of
        // one that was put aside before it was compared.
        let offset = core::hint::black_box(offset) & FURTHEST;
        // SAFETY: the context is the one the kernel gave; the pointers it holds are packet
        // pointers, and the read is checked against the packet's end. The machines that the
        // kernel loads this program on (x86-64, arm64) read unaligned words, and the value may be
        // any bytes.
        unsafe {
            let (data, end) = (self.context.data(), self.context.data_end());
            let from = data + offset as usize;
            if from + size_of::<T>() <= end {
                return Some((from as *const T).read());
            }
        }
        // A driver may put even headers into another piece of the frame.
        self.context.load(offset)
    }

    #[inline(always)]
    fn cells(table: Cells) -> &'static Array<u64> {
        match table {
            Cells::Transactions => &maps::TRANSACTIONS,
            Cells::Samples => &maps::SAMPLES,
            Cells::Budgets => &maps::BUDGETS,
            Cells::Filter => &maps::FILTER,
            Cells::Asked => &maps::ASKED,
            Cells::Strange => &maps::STRANGE,
            Cells::Nonces => &maps::NONCES,
            Cells::Marks => &maps::MARKS,
        }
    }

    #[inline(always)]
    fn buckets(table: Buckets) -> &'static Array<Bucket> {
        match table {
            Buckets::Rates => &maps::RATES,
            Buckets::Flows => &maps::FLOWS,
            Buckets::Strangers => &maps::STRANGERS,
            Buckets::Trusted => &maps::TRUSTED,
            Buckets::Sent => &maps::SENT,
            Buckets::Dialogues => &maps::DIALOGUES,
        }
    }
}

/// Compare and swap of an aligned word of a map value.
#[inline(always)]
fn swap(word: *mut u64, old: u64, new: u64) -> bool {
    // SAFETY: the pointer is into a map value, checked against null by the caller, and aligned
    // since the values consist of such words.
    unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(word, old, new)
            .1
    }
}

/// Keeps an entry by way of a map value; what finds no room in its table is counted.
#[inline(always)]
fn keep(insert: impl FnOnce(&mut Entry) -> bool) {
    let Some(entry) = maps::ENTRY.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the CPU's own; the program is not interrupted by itself.
    if !insert(unsafe { &mut *entry }) {
        count_event(EventCount::TrustLost);
    }
}

impl<P: Packet> Bytes for Frame<'_, P> {
    #[inline(always)]
    fn frame_length(&self) -> u32 {
        self.context.length()
    }

    #[inline(always)]
    fn short(&self, offset: u32) -> Option<u16> {
        self.read(offset)
    }

    #[inline(always)]
    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        self.read(offset)
    }
}

/// What a loop's callback is given: pointers to map values.
#[repr(C)]
struct Loop {
    scan: *mut Scan,
    policy: *const Policy,
}

/// The callback of `bpf_loop`.
extern "C" fn callback<S: Step>(_: u32, context: *mut Loop) -> c_long {
    // SAFETY: `repeat` filled it with valid pointers, which nothing else uses meanwhile.
    let (scan, policy) = unsafe { (&mut *(*context).scan, &*(*context).policy) };
    c_long::from(S::step(scan, policy))
}

/// What a turn's callback is given: pointers, so that little lies on the stack.
#[repr(C)]
struct Turns<P> {
    context: P,
    control: *const Control,
    policy: *const Policy,
    countries: *const CountryTable,
    scan: *mut Scan,
}

/// The callback of `bpf_loop` for turns.
extern "C" fn turn<'f, P: Packet, T: Turn<Frame<'f, P>>>(_: u32, context: *mut Turns<P>) -> c_long {
    // SAFETY: `turns` filled it with valid pointers, which nothing else uses meanwhile.
    let (mut frame, tables, scan) = unsafe {
        let control = &*(*context).control;
        let tables = Tables {
            policy: &*(*context).policy,
            countries: &*(*context).countries,
            key: &control.key,
        };
        let frame = Frame::new((*context).context, control);
        (frame, tables, &mut *(*context).scan)
    };
    c_long::from(T::turn(&mut frame, tables, scan))
}

impl<P: Packet> Store for Frame<'_, P> {
    #[inline(always)]
    fn now(&mut self) -> u64 {
        // SAFETY: a static that the loader may have written; volatile keeps it from being folded.
        if unsafe { core::ptr::read_volatile(&raw const TEST_CLOCK) } != 0 {
            return self.control.clock;
        }
        // SAFETY: a helper without arguments.
        unsafe { bpf_ktime_get_coarse_ns() }.wrapping_add(self.control.boot_offset)
    }

    #[inline(always)]
    fn listed(&self, address: &Address, set: u32) -> Listed {
        let [a, b] = address.words();
        let key = [set, a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32];
        maps::LISTS
            .get(&Key::new(32 + 128, key))
            .copied()
            .unwrap_or_default()
    }

    #[inline(always)]
    fn feed_head(&self) -> Option<Head> {
        maps::FEEDS.get(0).map(Head::read)
    }

    #[inline(always)]
    fn feed_near(&self, address: u32) -> bool {
        let (place, word, bit) = near(address);
        maps::FEEDS
            .get(place)
            .is_some_and(|bucket| bucket[word & 7] >> bit & 1 == 1)
    }

    #[inline(always)]
    fn feed_listed(&self, place: u32, tag: u32, bit: u32) -> u8 {
        maps::FEEDS
            .get(place)
            .map_or(0, |bucket| listed(bucket, tag, bit))
    }

    #[inline(always)]
    fn ban(&self, subject: &Address) -> Option<Ban> {
        // SAFETY: an entry that is replaced meanwhile is read as the old or the new one; its time
        // is one word.
        unsafe { maps::BANS.get(subject) }.copied()
    }

    #[inline(always)]
    fn set_ban(&mut self, subject: &Address, ban: &Ban) {
        if maps::BANS.insert(subject, ban, 0).is_err() {
            count_event(EventCount::BansLost);
        }
    }

    #[inline(always)]
    fn standing(&self, address: &Address) -> Option<&Standing> {
        // SAFETY: each time in it is one word, and an entry that is replaced meanwhile is read as
        // the old or the new one. So below.
        unsafe { maps::STANDINGS.get(address) }
    }

    #[inline(always)]
    fn set_standing(&mut self, address: &Address, standing: &Standing) {
        keep(|entry| {
            entry.standing = *standing;
            maps::STANDINGS.insert(address, &entry.standing, 0).is_ok()
        });
    }

    #[inline(always)]
    fn contact(&self, key: &ContactKey) -> Option<&Contact> {
        // SAFETY: as above.
        unsafe { maps::CONTACTS.get(key) }
    }

    #[inline(always)]
    fn set_contact(&mut self, key: &ContactKey, contact: &Contact) {
        keep(|entry| {
            entry.contact = *contact;
            maps::CONTACTS.insert(key, &entry.contact, 0).is_ok()
        });
    }

    #[inline(always)]
    fn account(&self, digest: u64) -> Option<&Account> {
        // SAFETY: as above.
        unsafe { maps::ACCOUNTS.get(digest) }
    }

    #[inline(always)]
    fn set_account(&mut self, digest: u64, account: &Account) {
        keep(|entry| {
            entry.account = *account;
            maps::ACCOUNTS.insert(digest, &entry.account, 0).is_ok()
        });
    }

    #[inline(always)]
    fn tell(&mut self, lesson: &Lesson) {
        report::tell(self.control, lesson);
    }

    #[inline(always)]
    fn count(&mut self, what: EventCount) {
        count_event(what);
    }

    #[inline(always)]
    fn cell(&self, table: Cells, index: u32) -> u64 {
        Self::cells(table).get(index).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn swap_cell(&mut self, table: Cells, index: u32, old: u64, new: u64) -> bool {
        match Self::cells(table).get_ptr_mut(index) {
            Some(word) => swap(word, old, new),
            None => false,
        }
    }

    #[inline(always)]
    fn bucket(&self, table: Buckets, index: u32) -> Option<&Bucket> {
        Self::buckets(table).get(index)
    }

    #[inline(always)]
    fn swap_word(&mut self, table: Buckets, index: u32, way: usize, old: u64, new: u64) -> bool {
        match Self::buckets(table).get_ptr_mut(index) {
            // SAFETY: the place is masked to the bucket's eight words.
            Some(bucket) => swap(unsafe { bucket.cast::<u64>().add(way & 7) }, old, new),
            None => false,
        }
    }
}

impl<P: Packet> Bench for Frame<'_, P> {
    #[inline(always)]
    fn fill(&self, offset: u32, length: u32, scan: &mut Scan) -> bool {
        // Linux 6.1 does not learn from `length != 0`; this form it understands.
        let length = (core::hint::black_box(length).wrapping_sub(1) & 0x7ff) + 1;
        if length > WINDOW {
            return false;
        }
        let window = scan.window.as_mut_ptr().cast::<c_void>();
        // SAFETY: the window has 2,048 bytes, no less than `length`.
        unsafe { self.context.copy(offset, window, length) }
    }

    #[inline(always)]
    fn repeat<S: Step>(scan: &mut Scan, policy: &Policy, most: u32) {
        let mut context = Loop { scan, policy };
        // SAFETY: the callback has the form that the helper wants, and what it is given outlives
        // the call.
        unsafe {
            bpf_loop(
                most,
                callback::<S> as *mut c_void,
                (&raw mut context).cast::<c_void>(),
                0,
            );
        }
    }

    #[inline(always)]
    fn turns<T: Turn<Self>>(&mut self, tables: Tables<'_>, scan: &mut Scan, most: u32) {
        let mut context = Turns {
            context: self.context,
            control: self.control,
            policy: tables.policy,
            countries: tables.countries,
            scan,
        };
        // SAFETY: as for `repeat`.
        unsafe {
            bpf_loop(
                most,
                turn::<P, T> as *mut c_void,
                (&raw mut context).cast::<c_void>(),
                0,
            );
        }
    }

    #[inline(always)]
    fn part(&mut self, part: Part, tables: Tables<'_>, scan: &mut Scan) -> u32 {
        self.context.part(part, self.control, tables, scan)
    }

    #[inline(always)]
    fn search(search: Search, scan: &mut Scan, one: u64, other: u64) -> u64 {
        parts::call_search(search, scan, one, other)
    }
}
