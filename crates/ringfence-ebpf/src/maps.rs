//! The maps that the programs share with the daemon. Their names, types and sizes are the layout
//! that `ringfence_core::control::LAYOUT` numbers.

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, PerCpuArray, RingBuf};
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Buckets, Cells, Listed, room};
use ringfence_core::control::{Control, EVENT_COUNTS};
use ringfence_core::country::CountryTable;
use ringfence_core::limit::Bucket;
use ringfence_core::policy::{Policy, SERVICES};
use ringfence_core::reason::REASONS;
use ringfence_core::scan::Scan;
use ringfence_core::trust::{Account, Contact, ContactKey, Entry, Standing};

/// Which tables are in force.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// Two policies, one of them in force.
#[map]
pub static POLICY: Array<Policy> = Array::with_max_entries(2, 0);

/// Two country tables, one of them in force.
#[map]
pub static COUNTRY: Array<CountryTable> = Array::with_max_entries(2, 0);

/// Operator's lists, trunks, proxies, neighbours, own addresses: two sets, one of them in force. A
/// key is the number of the set and, as it lies in memory, the address.
#[map]
pub static LISTS: LpmTrie<[u32; 5], Listed> = LpmTrie::with_max_entries(1 << 18, BPF_F_NO_PREALLOC);

/// Threat lists: how the table is read, then its buckets. The daemon makes it as large as its lists want.
#[map]
pub static FEEDS: Array<Bucket> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Bans by subject.
#[map]
pub static BANS: HashMap<Address, Ban> = HashMap::with_max_entries(room::BANS, BPF_F_NO_PREALLOC);

/// Rates of strangers.
#[map]
pub static RATES: Array<Bucket> = Array::with_max_entries(Buckets::Rates.buckets(), 0);

/// TCP flows of strangers.
#[map]
pub static FLOWS: Array<Bucket> = Array::with_max_entries(Buckets::Flows.buckets(), 0);

/// Transactions seen.
#[map]
pub static TRANSACTIONS: Array<u64> = Array::with_max_entries(Cells::Transactions.words(), 0);

/// Events reported.
#[map]
pub static SAMPLES: Array<u64> = Array::with_max_entries(Cells::Samples.words(), 0);

/// Budgets spent.
#[map]
pub static BUDGETS: Array<u64> = Array::with_max_entries(Cells::Budgets.words(), 0);

/// The filter before the bans.
#[map]
pub static FILTER: Array<u64> = Array::with_max_entries(Cells::Filter.words(), 0);

/// The window that a packet's text is read in.
#[map]
pub static SCAN: PerCpuArray<Scan> = PerCpuArray::with_max_entries(1, 0);

/// The window that the text of a packet on its way out is read in: the network stack may send
/// while it judges what came in.
#[map]
pub static OUTGOING: PerCpuArray<Scan> = PerCpuArray::with_max_entries(1, 0);

/// Users, numbers and addresses asked for.
#[map]
pub static ASKED: Array<u64> = Array::with_max_entries(Cells::Asked.words(), 0);

/// Call-IDs that strangers brought.
#[map]
pub static STRANGE: Array<u64> = Array::with_max_entries(Cells::Strange.words(), 0);

/// Nonces given out.
#[map]
pub static NONCES: Array<u64> = Array::with_max_entries(Cells::Nonces.words(), 0);

/// Single facts.
#[map]
pub static MARKS: Array<u64> = Array::with_max_entries(Cells::Marks.words(), 0);

/// Requests of strangers that are not answered yet.
#[map]
pub static STRANGERS: Array<Bucket> = Array::with_max_entries(Buckets::Strangers.buckets(), 0);

/// Requests of those who belong.
#[map]
pub static TRUSTED: Array<Bucket> = Array::with_max_entries(Buckets::Trusted.buckets(), 0);

/// Requests that this host sent.
#[map]
pub static SENT: Array<Bucket> = Array::with_max_entries(Buckets::Sent.buckets(), 0);

/// Dialogues of this host.
#[map]
pub static DIALOGUES: Array<Bucket> = Array::with_max_entries(Buckets::Dialogues.buckets(), 0);

/// What is known of addresses.
#[map]
pub static STANDINGS: HashMap<Address, Standing> =
    HashMap::with_max_entries(room::STANDINGS, BPF_F_NO_PREALLOC);

/// Registrations, by account and by flow.
#[map]
pub static CONTACTS: HashMap<ContactKey, Contact> =
    HashMap::with_max_entries(room::CONTACTS, BPF_F_NO_PREALLOC);

/// Accounts by the digests of their names.
#[map]
pub static ACCOUNTS: HashMap<u64, Account> =
    HashMap::with_max_entries(room::ACCOUNTS, BPF_F_NO_PREALLOC);

/// Packets by service and reason.
#[map]
pub static COUNTERS: PerCpuArray<u64> =
    PerCpuArray::with_max_entries((SERVICES * REASONS) as u32, 0);

/// Packets by country: passed, then dropped.
#[map]
pub static COUNTRIES: PerCpuArray<u64> = PerCpuArray::with_max_entries(512, 0);

/// What became of events.
#[map]
pub static EVENT_STATS: PerCpuArray<u64> = PerCpuArray::with_max_entries(EVENT_COUNTS, 0);

/// The share of events of each CPU.
#[map]
pub static EVENT_LIMIT: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// An entry on its way into a table: Linux 6.1 takes no value from the memory that a function of its
/// own was given.
#[map]
pub static ENTRY: PerCpuArray<Entry> = PerCpuArray::with_max_entries(1, 0);

/// Lessons on their way to the daemon.
#[map]
pub static LESSONS: RingBuf = RingBuf::with_byte_size(1 << 18, 0);

/// The share of lessons of each CPU.
#[map]
pub static LESSON_LIMIT: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Events on their way to the daemon.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);
