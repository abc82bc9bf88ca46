//! The parts of the judgement and the searches in its text as functions that the kernel's verifier looks at on their own: it
//! takes any context and any memory of the right size, and forgets which way led here.

use core::hint::black_box;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use ringfence_core::bench::Tables;
use ringfence_core::control::Control;
use ringfence_core::country::CountryTable;
use ringfence_core::judge::{Part, run};
use ringfence_core::policy::Policy;
use ringfence_core::scan::Scan;
use ringfence_core::search::{Search, search};

use crate::frame::Frame;

macro_rules! parts {
    ($side:ident, $context:ty, $($name:ident = $part:ident),* $(,)?) => {
        pub mod $side {
            use super::*;

            $(
                #[unsafe(no_mangle)]
                #[inline(never)]
                extern "C" fn $name(
                    context: *mut $context,
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

            /// Calls a part of this side; others answer 0.
            #[inline(always)]
            pub fn call(
                part: Part,
                context: *mut $context,
                control: &Control,
                tables: Tables<'_>,
                scan: &mut Scan,
            ) -> u32 {
                match part {
                    $(Part::$part => $name(context, control, tables.policy, tables.countries, scan),)*
                    _ => 0,
                }
            }
        }
    };
}

parts! {
    ingress, xdp_md,
    judge_headers = Headers,
    judge_extensions = Extensions,
    judge_hash = Hash,
    judge_rate = Rate,
    judge_flow_trust = FlowTrust,
    judge_ban = Ban,
    judge_feed = Feed,
    judge_locate = Locate,
    judge_later_fragment = LaterFragment,
    judge_udp = Udp,
    judge_tcp = Tcp,
    judge_segment = Segment,
    judge_greeting = Greeting,
    judge_message = Message,
    judge_lines = Lines,
    judge_read = Read,
    judge_identify = Identify,
    judge_transaction = Transaction,
    judge_answer = Answer,
    judge_dialogue = Dialogue,
    judge_to_user = ToUser,
    judge_from_user = FromUser,
    judge_request_user = RequestUser,
    judge_item = Item,
    judge_credentials = Credentials,
    judge_account_trust = AccountTrust,
    judge_account = Account,
    judge_emergency = Emergency,
    judge_decoy = Decoy,
    judge_may_try = MayTry,
    judge_may_ask = MayAsk,
    judge_may_sweep = MaySweep,
    judge_may_call = MayCall,
    judge_note = Note,
    judge_iax2 = Iax2,
    judge_iax2_request = Iax2Request,
    judge_elements = Elements,
    judge_note_iax2 = NoteIax2,
    judge_recognise = Recognise,
    judge_charge = Charge,
    judge_address = Address,
    judge_values = Values,
    judge_walk = Walk,
    judge_inspect = Inspect,
    judge_charge_registered = ChargeRegistered,
    judge_spend = Spend,
    judge_consequences = Consequences,
}

parts! {
    egress, __sk_buff,
    sent_silenced = Silenced,
    sent_messages = Sent,
    sent_hash = Hash,
    sent_rate = Rate,
    sent_lines = Lines,
    sent_iax2 = SentIax2,
    sent_answered_iax2 = AnsweredIax2,
    sent_name_iax2 = NameIax2,
    sent_elements = Elements,
    sent_message = SentMessage,
    sent_tags = Tags,
    sent_request = SentRequest,
    sent_response = SentResponse,
    sent_dialogue = SentDialogue,
    sent_settled = Settled,
    sent_rewrite = Rewrite,
    sent_item = Item,
    sent_nonce = SentNonce,
    sent_name_user = NameUser,
    sent_accepted = Accepted,
    sent_earn_back = EarnBack,
    sent_lift_bans = LiftBans,
    sent_contacts = Contacts,
    sent_refused = Refused,
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
    search_number = Number,
    search_quad = Quad,
}
