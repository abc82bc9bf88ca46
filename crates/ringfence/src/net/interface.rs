//! Network interfaces.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp, XdpAttached,
};

use super::NetError;
use super::rtnl::Conversation;

/// Raw IP without a link header (linux/if_arp.h); libc does not name it.
const ARPHRD_RAWIP: u16 = 519;

/// What stands before the IP header on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// Nothing: tun, WireGuard, PPP, IP tunnels.
    RawIp,
    /// The loopback interface, with an Ethernet header that means nothing.
    Loopback,
    /// Another hardware type, as an ARPHRD_ number.
    Other(u16),
}

/// How an XDP program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XdpMode {
    /// In the driver.
    Driver,
    /// In the network stack, after the driver.
    Generic,
    /// On the network card.
    Offloaded,
    /// In more than one of these places.
    Several,
}

/// The XDP program of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct XdpAttachment {
    /// Where it runs.
    pub mode: XdpMode,
    /// The kernel's number for the program; with [`XdpMode::Several`] one of them.
    pub prog_id: u32,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The largest packet, in bytes, without the link header.
    pub mtu: u32,
    /// Its link header.
    pub link_type: LinkType,
    /// Whether it is administratively up.
    pub up: bool,
    /// The driver of the device, or the kind of a virtual interface, such as "veth".
    pub driver: Option<String>,
    /// The index of the bridge or bond that it is a member of.
    pub controller: Option<u32>,
    /// The index of the interface that a VLAN or the like stands on.
    pub parent: Option<u32>,
    /// This host's addresses on it, each with its prefix.
    pub addresses: Vec<IpNet>,
    /// The XDP program attached to it.
    pub xdp: Option<XdpAttachment>,
}

/// All interfaces of the network namespace, by index. Source: RTM_GETLINK and RTM_GETADDR.
pub async fn interfaces() -> Result<Vec<Interface>, NetError> {
    let conversation = Conversation::open()?;
    let failed = |what| move |source| NetError::Route { what, source };
    let links: Vec<LinkMessage> = conversation
        .handle
        .link()
        .get()
        .execute()
        .try_collect()
        .await
        .map_err(failed("interfaces"))?;
    let answers: Vec<AddressMessage> = conversation
        .handle
        .address()
        .get()
        .execute()
        .try_collect()
        .await
        .map_err(failed("addresses"))?;
    let mut addresses: HashMap<u32, Vec<IpNet>> = HashMap::new();
    for answer in &answers {
        if let Some(address) = own_address(answer) {
            addresses
                .entry(answer.header.index)
                .or_default()
                .push(address);
        }
    }
    let mut interfaces: Vec<_> = links
        .iter()
        .map(|link| {
            let mut own = addresses.remove(&link.header.index).unwrap_or_default();
            own.sort_unstable();
            from_message(link, own)
        })
        .collect();
    interfaces.sort_unstable_by_key(|interface| interface.index);
    Ok(interfaces)
}

/// The addresses of this host, those of loopback included, each once.
pub fn own_addresses(interfaces: &[Interface]) -> Vec<IpAddr> {
    let mut own: Vec<_> = interfaces
        .iter()
        .flat_map(|i| &i.addresses)
        .map(IpNet::addr)
        .collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// Our side of an address: on a point-to-point link the other attribute is the peer's.
fn own_address(message: &AddressMessage) -> Option<IpNet> {
    let local = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
    let address = local.or_else(|| {
        message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(*address),
                _ => None,
            })
    })?;
    IpNet::new(address, message.header.prefix_len).ok()
}

fn from_message(message: &LinkMessage, addresses: Vec<IpNet>) -> Interface {
    let mut interface = Interface {
        index: message.header.index,
        name: String::new(),
        mtu: 0,
        link_type: link_type(message.header.link_layer_type.into()),
        up: message.header.flags.contains(LinkFlags::Up),
        driver: None,
        controller: None,
        parent: None,
        addresses,
        xdp: None,
    };
    let mut kind = None;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::Controller(index) if *index != 0 => interface.controller = Some(*index),
            LinkAttribute::Link(index) if *index != 0 => interface.parent = Some(*index),
            LinkAttribute::Xdp(xdp) => interface.xdp = xdp_attachment(xdp),
            LinkAttribute::LinkInfo(infos) => {
                kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    interface.driver = driver(&interface.name, interface.index).or(kind);
    interface
}

fn link_type(hardware: u16) -> LinkType {
    match hardware {
        libc::ARPHRD_ETHER => LinkType::Ethernet,
        libc::ARPHRD_LOOPBACK => LinkType::Loopback,
        libc::ARPHRD_NONE
        | ARPHRD_RAWIP
        | libc::ARPHRD_PPP
        | libc::ARPHRD_TUNNEL
        | libc::ARPHRD_TUNNEL6
        | libc::ARPHRD_SIT => LinkType::RawIp,
        other => LinkType::Other(other),
    }
}

fn xdp_attachment(attributes: &[LinkXdp]) -> Option<XdpAttachment> {
    let mode = attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::Driver) => Some(XdpMode::Driver),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(XdpMode::Generic),
        LinkXdp::Attached(XdpAttached::Hardware) => Some(XdpMode::Offloaded),
        LinkXdp::Attached(XdpAttached::Multiple) => Some(XdpMode::Several),
        _ => None,
    })?;
    let prog_id = attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id)
        | LinkXdp::DrvProgId(id)
        | LinkXdp::SkbProgId(id)
        | LinkXdp::HwProgId(id) => Some(*id),
        _ => None,
    })?;
    Some(XdpAttachment { mode, prog_id })
}

/// The device's driver as sysfs links it. The sysfs mount may show another network namespace, where the name belongs to
/// another interface: the index tells.
fn driver(name: &str, index: u32) -> Option<String> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let directory = Path::new("/sys/class/net").join(name);
    let shown = fs::read_to_string(directory.join("ifindex")).ok()?;
    if shown.trim().parse() != Ok(index) {
        return None;
    }
    let target = fs::read_link(directory.join("device/driver")).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{ip, namespace};

    #[test]
    fn interfaces_with_their_kind_and_addresses() {
        namespace(async || {
            ip("link set lo up");
            ip("link add sip0 mtu 1400 type veth peer name sip1");
            ip("address add 192.0.2.1/24 dev sip0");
            ip("address add 192.0.2.9 peer 198.51.100.1/32 dev sip0");
            ip("-6 address add 2001:db8::1/64 dev sip0 nodad");
            ip("link set sip0 up");
            let all = interfaces().await.unwrap();
            let named = |name: &str| all.iter().find(|i| i.name == name).unwrap();
            assert_eq!(named("lo").link_type, LinkType::Loopback);
            let sip0 = named("sip0");
            assert_eq!(
                (sip0.mtu, sip0.up, sip0.link_type),
                (1400, true, LinkType::Ethernet)
            );
            assert_eq!(sip0.driver.as_deref(), Some("veth"));
            assert!(!named("sip1").up);
            for own in ["192.0.2.1/24", "192.0.2.9/32", "2001:db8::1/64"] {
                assert!(
                    sip0.addresses.contains(&own.parse().unwrap()),
                    "{own} of {sip0:?}"
                );
            }
            let own = own_addresses(&all);
            assert!(own.contains(&"::1".parse().unwrap()));
            assert!(!own.contains(&"198.51.100.1".parse().unwrap()));
        });
    }
}
