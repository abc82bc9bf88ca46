//! The generation of the rules: a number that the kernel counts up with each transaction, whoever made it.

use std::io::{Error, ErrorKind};

use netlink_packet_core::{Emitable, NLM_F_REQUEST, NetlinkHeader};
use netlink_sys::{Socket, SocketAddr};

use super::NftError;

/// linux/netlink.h
const NETLINK_NETFILTER: isize = 12;
/// The subsystem of nftables, and its messages NFT_MSG_NEWGEN and NFT_MSG_GETGEN (linux/netfilter/nf_tables.h).
const NEW: u16 = 10 << 8 | 15;
const GET: u16 = 10 << 8 | 16;
/// The attribute NFTA_GEN_ID.
const ID: u16 = 1;
/// Bytes of a netlink header, and of what nfnetlink has behind it: family, version, resource.
const HEADER: usize = 16;
const BEFORE: usize = HEADER + 4;

/// The generation of the rules in the network namespace of the calling thread. As long as it stays the same, nobody has
/// changed a table.
///
/// # Errors
/// When the kernel cannot be asked or does not say.
pub fn generation() -> Result<u32, NftError> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut question = [0; BEFORE];
    let mut header = NetlinkHeader::default();
    header.length = BEFORE as u32;
    header.message_type = GET;
    header.flags = NLM_F_REQUEST;
    header.emit(&mut question);
    socket.send(&question, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    id(&answer).ok_or_else(|| {
        NftError::Run(Error::new(
            ErrorKind::InvalidData,
            "the kernel does not say the generation of its rules",
        ))
    })
}

/// The number in an answer.
fn id(answer: &[u8]) -> Option<u32> {
    let word = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if word(4)? != NEW {
        return None;
    }
    let mut at = BEFORE;
    loop {
        let (length, kind) = (usize::from(word(at)?), word(at + 2)?);
        if kind == ID {
            let value = answer.get(at + 4..at + 8)?;
            return Some(u32::from_be_bytes(value.try_into().ok()?));
        }
        at += length.max(4).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::namespace;
    use crate::nft::Nft;

    #[test]
    fn each_change_counts() {
        namespace(async || {
            let before = generation().unwrap();
            assert_eq!(generation().unwrap(), before);
            let nft = Nft::default();
            nft.tables().unwrap();
            nft.works().unwrap();
            assert_eq!(generation().unwrap(), before);
            nft.run_text(
                "{\"nftables\": [{\"add\": {\"table\": {\"family\": \"inet\", \"name\": \"x\"}}}]}",
            )
            .unwrap();
            assert_ne!(generation().unwrap(), before);
        });
    }

    #[test]
    fn odd_answers_are_none() {
        assert_eq!(id(&[]), None);
        assert_eq!(id(&[0xff; 64]), None);
        let mut answer = vec![0; BEFORE];
        answer[4..6].copy_from_slice(&NEW.to_ne_bytes());
        assert_eq!(id(&answer), None);
        answer.extend([0; 64]);
        assert_eq!(id(&answer), None);
    }
}
