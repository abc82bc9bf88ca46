//! The network: who is where, and how they reach each other.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::error::{During, Result};
use crate::fence::ENGINE;
use crate::netns::Netns;
use crate::packets::{Packet, PacketCounter};
use crate::process::must;
use crate::sweep;

/// The IPv4 address of the telephone system.
pub const PBX_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// The IPv6 address of the telephone system.
pub const PBX_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10);

/// Held while a laboratory stands: measurements of two at once would spoil each other.
const LOCK: &str = "/run/ringfence-lab.lock";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// The subnets of a place: an IPv4 /24 and an IPv6 /64, of which the host part is zero. The
/// router has host part 1 and the place 10, in both (0x10 in IPv6).
#[derive(Debug, Clone, Copy)]
pub struct Subnets {
    /// A /24.
    pub v4: Ipv4Addr,
    /// A /64.
    pub v6: Ipv6Addr,
}

impl Subnets {
    const PBX: Self = Self {
        v4: Ipv4Addr::new(192, 0, 2, 0),
        v6: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0),
    };
    const PHONE: Self = Self {
        v4: Ipv4Addr::new(198, 51, 100, 0),
        v6: Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, 0),
    };
    const ATTACKER: Self = Self {
        v4: Ipv4Addr::new(203, 0, 113, 0),
        v6: Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0),
    };

    /// The IPv4 address with this host part.
    pub fn v4(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.v4.to_bits() | u32::from(host))
    }

    /// The IPv6 address with this host part.
    pub fn v6(&self, host: u16) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.v6.to_bits() | u128::from(host))
    }
}

/// Four namespaces around one router:
///
/// | place | eth0 |
/// |---|---|
/// | `pbx` | 192.0.2.10/24, 2001:db8:1::10/64 |
/// | `phone` | 198.51.100.10/24, 2001:db8:51::10/64 |
/// | `attacker` | 203.0.113.10/24, 2001:db8:bad::10/64 |
///
/// Each has one interface, `eth0`, whose peer is in the router's namespace, so that `pbx` has
/// one interface to guard, with native XDP, and sees the source addresses unchanged.
///
/// One laboratory stands at a time on a machine: [`Lab::new`] waits for the one before it. A
/// thread that makes a second one while it holds the first waits forever.
#[derive(Debug)]
pub struct Lab {
    /// Where the telephone system runs, and the fence.
    pub pbx: Netns,
    /// Where the phones are.
    pub phone: Netns,
    /// Where the attackers are.
    pub attacker: Netns,
    router: Netns,
    counter: u32,
    directory: TempDir,
    _lock: File,
}

impl Lab {
    /// Makes the namespaces; everything is gone when the value is dropped, also by a panic.
    pub fn new() -> Result<Self> {
        let lock = File::create(LOCK).during(format!("open {LOCK}"))?;
        lock.lock().during(format!("lock {LOCK}"))?;
        sweep::sweep()?;
        let directory = tempfile::Builder::new()
            .prefix(&format!("{}{}-", sweep::PREFIX, std::process::id()))
            .tempdir()
            .during("make a temporary directory")?;
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        let router = Netns::create(counter, "router")?;
        router.set("net/ipv4/ip_forward", "1")?;
        router.set("net/ipv6/conf/all/forwarding", "1")?;
        Ok(Self {
            pbx: connect(&router, counter, "pbx", Subnets::PBX)?,
            phone: connect(&router, counter, "phone", Subnets::PHONE)?,
            attacker: connect(&router, counter, "attacker", Subnets::ATTACKER)?,
            router,
            counter,
            directory,
            _lock: lock,
        })
    }

    /// Adds a place of up to eleven letters with subnets of its own.
    pub fn add_place(&self, name: &str, subnets: Subnets) -> Result<Netns> {
        connect(&self.router, self.counter, name, subnets)
    }

    /// Gives a place one more address, from any subnet, and routes it there.
    pub fn add_address(&self, place: &Netns, address: IpAddr) -> Result<()> {
        let host = if address.is_ipv6() { 128 } else { 32 };
        let prefix = format!("{address}/{host}");
        must(
            place
                .ip()
                .args(["address", "replace", &prefix, "dev", "eth0"]),
        )?;
        let port = place.name().rsplit('-').next().unwrap_or_default();
        must(
            self.router
                .ip()
                .args(["route", "replace", &prefix, "dev", port]),
        )?;
        Ok(())
    }

    /// Lets a place send from an address that belongs to another, where what is sent there goes on
    /// arriving.
    pub fn forge_address(&self, place: &Netns, address: IpAddr) -> Result<()> {
        let host = if address.is_ipv6() { 128 } else { 32 };
        let prefix = format!("{address}/{host}");
        must(
            place
                .ip()
                .args(["address", "replace", &prefix, "dev", "lo"]),
        )?;
        Ok(())
    }

    /// Counts packets that an interface of a place sends and receives from now on. In the telephone system they are
    /// those that the engine under test passed: where nftables queues packets, only what is handed up to programs.
    pub fn count_packets(
        &self,
        place: &Netns,
        interface: &str,
        filter: impl Fn(&Packet<'_>) -> bool + Send + 'static,
    ) -> Result<PacketCounter> {
        let queued = std::env::var(ENGINE).is_ok_and(|engine| engine == "nfqueue");
        if queued && place.name() == self.pbx.name() {
            return PacketCounter::open_delivered(place, interface, filter);
        }
        PacketCounter::open(place, interface, filter)
    }

    /// A new directory for one component, which goes when the laboratory goes.
    pub(crate) fn directory(&self, purpose: &str) -> Result<std::path::PathBuf> {
        let made = tempfile::Builder::new()
            .prefix(purpose)
            .tempdir_in(self.directory.path())
            .during("make a temporary directory")?;
        Ok(made.keep())
    }
}

/// Makes a place and its cable to the router, whose end is named as the place.
fn connect(router: &Netns, counter: u32, name: &str, subnets: Subnets) -> Result<Netns> {
    let place = Netns::create(counter, name)?;
    must(
        router
            .ip()
            .args(["link", "add", name, "type", "veth"])
            .args(["peer", "name", "eth0", "netns", place.name()]),
    )?;
    let gateways = (IpAddr::from(subnets.v4(1)), IpAddr::from(subnets.v6(1)));
    address(router, name, gateways)?;
    address(
        &place,
        "eth0",
        (subnets.v4(10).into(), subnets.v6(0x10).into()),
    )?;
    for gateway in [gateways.0, gateways.1] {
        must(
            place
                .ip()
                .args(["route", "add", "default", "via", &gateway.to_string()]),
        )?;
    }
    Ok(place)
}

fn address(place: &Netns, interface: &str, (v4, v6): (IpAddr, IpAddr)) -> Result<()> {
    must(
        place
            .ip()
            .args(["address", "add", &format!("{v4}/24"), "dev", interface]),
    )?;
    must(place.ip().args([
        "address",
        "add",
        &format!("{v6}/64"),
        "dev",
        interface,
        "nodad",
    ]))?;
    must(place.ip().args(["link", "set", interface, "up"]))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_subnets() {
        assert_eq!(Subnets::PBX.v4(10), PBX_V4);
        assert_eq!(Subnets::PBX.v6(0x10), PBX_V6);
        assert_eq!(Subnets::ATTACKER.v6(0x10).to_string(), "2001:db8:bad::10");
    }
}
