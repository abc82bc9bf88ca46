//! The kernel's programs without a daemon: single frames through `BPF_PROG_TEST_RUN`, for tests and
//! benchmarks, or on one interface for as long as the value lives. Nothing is pinned.

mod learned;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aya::maps::{Map, MapData, PerCpuArray};
use aya::programs::xdp::XdpMode;
use aya::programs::{ProgramFd, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use ringfence_core::address::Address;
use ringfence_core::bench::Ban;
use ringfence_core::control::{Control, INTERFACES, Interface, LAYOUT};
use ringfence_core::country::{Country, CountryTable};
use ringfence_core::hash::Key;
use ringfence_core::limit::Limit;
use ringfence_core::policy::SERVICES;
use ringfence_core::reason::REASONS;
use zerocopy::IntoBytes;

use super::feeds::FeedTable;
use super::xdp;
use crate::tables::{Generation, Prefix};

/// The BPF object, as built by `cargo xtask ebpf`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/ringfence.o");

/// What `egress` answers to a frame that may not leave (`linux/pkt_cls.h`).
const TC_ACT_SHOT: u32 = 2;
/// What it answers to one that may: whatever program comes next decides.
const TC_ACT_UNSPEC: u32 = u32::MAX;

/// The loaded programs with their own maps.
pub struct Trial {
    ebpf: Ebpf,
    feeds: Arc<FeedTable>,
    control: Control,
}

/// Writes one element of a map from bytes: values of hundreds of kilobytes never pass the stack.
///
/// # Errors
/// What the kernel answers.
pub fn put(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> std::io::Result<()> {
    /// The attributes of BPF_MAP_UPDATE_ELEM (`union bpf_attr` of linux/bpf.h).
    #[repr(C)]
    struct Attributes {
        map: u32,
        reserved: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
    let attributes = Attributes {
        map: map.as_raw_fd().cast_unsigned(),
        reserved: 0,
        key: key.as_ptr() as u64,
        value: value.as_ptr() as u64,
        flags: 0,
    };
    // SAFETY: the attributes have the layout and the length that the call wants; key and value
    // outlive it, and the caller gives them in the sizes that the map was made with.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_UPDATE_ELEM,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn data(map: &Map) -> Result<&MapData> {
    Ok(match map {
        Map::Array(data) | Map::LpmTrie(data) | Map::HashMap(data) | Map::PerCpuArray(data) => data,
        other => bail!("unexpected map {other:?}"),
    })
}

impl Trial {
    /// Loads the programs with a policy, a country table and the secret `key`. Their clock is set by
    /// [`Trial::set_clock`] where `test_clock` says so, else it is the kernel's.
    ///
    /// # Errors
    /// What the kernel refuses; without CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON all of it.
    pub fn load(
        generation: &Generation,
        countries: &CountryTable,
        key: Key,
        test_clock: bool,
    ) -> Result<Self> {
        Self::with_feeds(generation, countries, key, test_clock, 0)
    }

    /// The same, with a table of threat lists that has room for so many blocks.
    ///
    /// # Errors
    /// As [`Trial::load`].
    pub fn with_feeds(
        generation: &Generation,
        countries: &CountryTable,
        key: Key,
        test_clock: bool,
        feed_room: usize,
    ) -> Result<Self> {
        let clock = u32::from(test_clock);
        let buckets = FeedTable::buckets_for(feed_room);
        let mut ebpf = EbpfLoader::new()
            .override_global("TEST_CLOCK", &clock, true)
            .map_max_entries(xdp::FEEDS, buckets as u32)
            .load(OBJECT)
            .context("cannot load the BPF object")?;
        let program: &mut Xdp = ebpf
            .program_mut("ingress")
            .context("the object has no program `ingress`")?
            .try_into()?;
        program
            .load()
            .context("the kernel refuses the program `ingress`")?;
        let program: &mut SchedClassifier = ebpf
            .program_mut("egress")
            .context("the object has no program `egress`")?
            .try_into()?;
        program
            .load()
            .context("the kernel refuses the program `egress`")?;
        let feeds = Arc::new(xdp::feed_table(&ebpf, buckets)?);
        let mut trial = Self {
            ebpf,
            feeds,
            control: Control {
                selector: 0,
                layout: LAYOUT,
                boot_offset: 0,
                clock: 1,
                key,
                events: Limit::new(1, 1_000_000_000, 1),
                interfaces: [Interface::default(); INTERFACES],
            },
        };
        trial.put("COUNTRY", countries.as_bytes())?;
        trial.set_generation(generation)?;
        Ok(trial)
    }

    /// The table of threat lists.
    pub fn feeds(&self) -> &Arc<FeedTable> {
        &self.feeds
    }

    /// Attaches the program in the driver of the interface with this index, in the network
    /// namespace of the calling thread. It is detached when this value is dropped.
    ///
    /// # Errors
    /// What the kernel refuses: drivers without XDP, for one.
    pub fn attach(&mut self, interface: u32) -> Result<()> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut("ingress")
            .context("the object has no program `ingress`")?
            .try_into()?;
        program
            .attach_to_if_index(interface, XdpMode::Driver)
            .with_context(|| format!("cannot attach to the interface with index {interface}"))?;
        Ok(())
    }

    fn put(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let map = self
            .ebpf
            .map(name)
            .with_context(|| format!("the object has no map {name}"))?;
        put(data(map)?.fd().as_fd(), 0u32.as_bytes(), value)
            .with_context(|| format!("cannot write the map {name}"))
    }

    /// Puts a policy and its lists in force.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn set_generation(&mut self, generation: &Generation) -> Result<()> {
        self.put("POLICY", generation.policy.as_bytes())?;
        let control = self.control;
        self.put("CONTROL", control.as_bytes())?;
        let map = self
            .ebpf
            .map_mut("LISTS")
            .context("the object has no map LISTS")?;
        let lists = data(map)?.fd().as_fd();
        for (Prefix { address, length }, listed) in &generation.lists {
            let mut key = [0; 24];
            key[..4].copy_from_slice(&(32 + u32::from(*length)).to_ne_bytes());
            key[8..].copy_from_slice(&address.octets());
            put(lists, &key, listed.as_bytes()).context("cannot write the map LISTS")?;
        }
        Ok(())
    }

    /// Sets the time that the program sees, in ns.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn set_clock(&mut self, now: u64) -> Result<()> {
        self.control.clock = now;
        let control = self.control;
        self.put("CONTROL", control.as_bytes())
    }

    /// Bans subjects until the clock's end, filter included.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn ban(&mut self, subjects: &[Address], ban: &Ban) -> Result<()> {
        let mut filter = vec![0u64; ringfence_core::bench::Cells::Filter.words() as usize];
        for subject in subjects {
            let bit = self.control.key.filter_bit(*subject);
            filter[(bit >> 6) as usize] |= 1 << (bit & 63);
            let map = self
                .ebpf
                .map("BANS")
                .context("the object has no map BANS")?;
            put(data(map)?.fd().as_fd(), subject.as_bytes(), ban.as_bytes())
                .context("cannot write the map BANS")?;
        }
        let map = self
            .ebpf
            .map("FILTER")
            .context("the object has no map FILTER")?;
        let fd = data(map)?.fd().as_fd();
        for (index, word) in filter.iter().enumerate().filter(|(_, word)| **word != 0) {
            put(fd, (index as u32).as_bytes(), word.as_bytes()).context("cannot write FILTER")?;
        }
        Ok(())
    }

    /// Runs a frame through the program `repeat` times: whether it was dropped, and the mean time.
    ///
    /// # Errors
    /// What the kernel refuses: frames under 14 bytes, for one.
    pub fn run(&mut self, frame: &[u8], repeat: u32) -> Result<(bool, Duration)> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut("ingress")
            .context("the object has no program")?
            .try_into()?;
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat,
            ..Default::default()
        };
        let result = program.test_run(options)?;
        Ok((result.return_value == 1, result.duration))
    }

    /// Runs a frame through the program for what leaves, `repeat` times: whether it was dropped, and
    /// the mean time.
    ///
    /// # Errors
    /// What the kernel refuses: frames under 15 bytes, for one.
    pub fn run_leaving(&mut self, frame: &[u8], repeat: u32) -> Result<(bool, Duration)> {
        let program: &mut SchedClassifier = self
            .ebpf
            .program_mut("egress")
            .context("the object has no program `egress`")?
            .try_into()?;
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat,
            ..Default::default()
        };
        let result = program.test_run(options)?;
        match result.return_value {
            TC_ACT_SHOT => Ok((true, result.duration)),
            TC_ACT_UNSPEC => Ok((false, result.duration)),
            other => bail!("`egress` answered {other}"),
        }
    }

    /// Runs a frame of which the program reads the first `linear` bytes directly, and the rest lies
    /// in other pages, as drivers hand over frames larger than a page; whether it was dropped.
    ///
    /// # Errors
    /// What the kernel refuses: before Linux 6.18, other lengths than the frame's.
    pub fn run_in_pieces(&mut self, frame: &[u8], linear: u32) -> Result<bool> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut("ingress")
            .context("the object has no program")?
            .try_into()?;
        // `struct xdp_md` (linux/bpf.h): data, data_end and four more.
        let context = [0, linear, 0, 0, 0, 0];
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(context.as_bytes()),
            ..Default::default()
        };
        Ok(program.test_run(options)?.return_value == 1)
    }

    /// The loaded program, for programs that hand packets on to it.
    ///
    /// # Errors
    /// None once it is loaded.
    pub fn program(&mut self) -> Result<&ProgramFd> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut("ingress")
            .context("the object has no program")?
            .try_into()?;
        Ok(program.fd()?)
    }

    /// All counters of services and reasons that are not 0: `(service, reason, packets)`.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn counters(&self) -> Result<Vec<(u8, u8, u64)>> {
        let map = self
            .ebpf
            .map("COUNTERS")
            .context("the object has no map COUNTERS")?;
        let counters: PerCpuArray<_, u64> = PerCpuArray::try_from(map)?;
        let mut found = Vec::new();
        for index in 0..(SERVICES * REASONS) as u32 {
            let sum = counters.get(&index, 0)?.iter().sum();
            if sum != 0 {
                let (service, reason) = (index / REASONS as u32, index % REASONS as u32);
                found.push((service as u8, reason as u8, sum));
            }
        }
        Ok(found)
    }

    /// Packets, passed or dropped, by the number of their source's country.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn country_counts(&self) -> Result<Vec<u64>> {
        let map = self
            .ebpf
            .map("COUNTRIES")
            .context("the object has no map COUNTRIES")?;
        let counters: PerCpuArray<_, u64> = PerCpuArray::try_from(map)?;
        let sum = |index| -> Result<u64> { Ok(counters.get(&index, 0)?.iter().sum()) };
        let numbers = 0..Country::COUNT as u32;
        numbers
            .map(|number| Ok(sum(number * 2)? + sum(number * 2 + 1)?))
            .collect()
    }

    /// Instructions that the kernel's verifier went through.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn verified_instructions(&mut self) -> Result<u32> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut("ingress")
            .context("the object has no program")?
            .try_into()?;
        program
            .info()?
            .verified_instruction_count()
            .context("the kernel does not tell (5.16)")
    }
}
