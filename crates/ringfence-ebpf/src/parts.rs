//! The parts of the judgement and the searches in its text as functions that the kernel's verifier looks at on their own: it
//! takes any context and any memory of the right size, and forgets which way led here.

use core::hint::black_box;

use aya_ebpf::bindings::xdp_md;
use ringfence_core::bench::Tables;
use ringfence_core::control::Control;
use ringfence_core::country::CountryTable;
use ringfence_core::judge::{Part, run};
use ringfence_core::policy::Policy;
use ringfence_core::scan::Scan;
use ringfence_core::search::{Search, search};

use crate::frame::Frame;

macro_rules! parts {
    ($($name:ident = $part:ident),* $(,)?) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $name(
                context: *mut xdp_md,
                control: *const Control,
                policy: *const Policy,
                countries: *const CountryTable,
                scan: *mut Scan,
            ) -> u32 {
                // Each is looked at in every part: the compiler gives nothing for what is not.
                if context.is_null()
                    || control.is_null()
                    || policy.is_null()
                    || countries.is_null()
                    || scan.is_null()
                {
                    return 0;
                }
                // SAFETY: none is null, and whoever calls gives values of these types, of which
                // `scan` is the CPU's own.
                let (control, policy, countries, scan) =
                    unsafe { (&*control, &*policy, &*countries, &mut *scan) };
                let tables = Tables { policy, countries, key: &control.key };
                run(Part::$part, &mut Frame::new(context, control), tables, scan)
            }
        )*

        /// Calls a part.
        #[inline(always)]
        pub fn call(
            part: Part,
            context: *mut xdp_md,
            control: &Control,
            tables: Tables<'_>,
            scan: &mut Scan,
        ) -> u32 {
            match part {
                $(Part::$part => $name(context, control, tables.policy, tables.countries, scan),)*
            }
        }
    };
}

parts! {
    judge_headers = Headers,
    judge_extensions = Extensions,
    judge_ban = Ban,
    judge_later_fragment = LaterFragment,
    judge_udp = Udp,
    judge_tcp = Tcp,
    judge_segment = Segment,
    judge_greeting = Greeting,
    judge_message = Message,
    judge_lines = Lines,
    judge_read = Read,
    judge_identify = Identify,
    judge_recognise = Recognise,
    judge_charge = Charge,
    judge_address = Address,
    judge_values = Values,
    judge_walk = Walk,
    judge_inspect = Inspect,
    judge_spend = Spend,
    judge_consequences = Consequences,
}

macro_rules! searches {
    ($($name:ident = $search:ident),* $(,)?) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $name(scan: *mut Scan, one: u64, other: u64) -> u64 {
                if scan.is_null() {
                    return 0;
                }
                // SAFETY: it is not null, and whoever calls gives the CPU's own.
                let scan = unsafe { &mut *scan };
                // Both are used in every search: the compiler gives nothing for what is not.
                let (one, other) = (black_box(one), black_box(other));
                search::<Frame<'_>>(Search::$search, scan, one, other)
            }
        )*

        /// Calls a search.
        #[inline(always)]
        pub fn call_search(search: Search, scan: &mut Scan, one: u64, other: u64) -> u64 {
            match search {
                $(Search::$search => $name(scan, one, other),)*
            }
        }
    };
}

searches! {
    search_byte = Byte,
    search_quote = Quote,
    search_parameter = Parameter,
    search_trim = Trim,
    search_breaks = Breaks,
    search_digest = Digest,
    search_text = Text,
}
