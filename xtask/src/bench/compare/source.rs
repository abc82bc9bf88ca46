//! A source of packets in the kernel: it writes a sender and a branch into each copy of a frame, and hands it to a
//! cable as a driver hands a frame to the network stack.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use aya::maps::{MapData, MapType};
use ringfence::engine::trial::put;
use xtask::bpf;
use xtask::frames;

/// The index of a namespace's own loopback interface.
const LOOPBACK: u32 = 1;

/// What becomes of the packets.
#[derive(Clone, Copy)]
pub enum Exit {
    /// They are dropped at once: what remains is the cost of the source.
    Drop,
    /// They are sent on the interface with this index.
    Interface(u32),
}

/// A frame and its senders, which take turns.
pub struct Source {
    program: OwnedFd,
    frame: Vec<u8>,
    _maps: [MapData; 2],
}

impl Source {
    /// Makes a source. The number of senders is a power of two.
    pub fn new(frame: &[u8], senders: &[[u8; 4]], exit: Exit) -> Result<Self> {
        ensure!(senders.len().is_power_of_two(), "{} senders", senders.len());
        let turn = array("turn", 1)?;
        let table = array("senders", senders.len() as u32)?;
        let mut frame = frame.to_vec();
        for (place, sender) in (0u32..).zip(senders) {
            frames::set_source(&mut frame, *sender);
            put(table.fd().as_fd(), &place.to_ne_bytes(), &entry(&frame))?;
        }
        let maps = [&turn, &table].map(|map| map.fd().as_fd().as_raw_fd());
        let code = code(maps, senders.len() as u32 - 1, branch(&frame)?, exit);
        let program = bpf::Program {
            code: &code,
            ..bpf::Program::default()
        };
        let program =
            bpf::load(&program, &mut []).context("the kernel refuses the source of packets")?;
        Ok(Self {
            program,
            frame,
            _maps: [turn, table],
        })
    }

    /// Sends so many packets, each from the next sender, out of the network namespace of the calling thread.
    pub fn send(&self, packets: u32) -> Result<()> {
        bpf::run_live(self.program.as_fd(), &self.frame, packets)
            .context("the kernel sends no packets for BPF_PROG_TEST_RUN (Linux 5.18 or newer)")
    }

    /// Holds the source's program at the loopback interface of the calling thread's network namespace.
    ///
    /// A run of a program that no interface has begins and ends with a wait for all processors, some 20 ms in all: more
    /// than a burst takes.
    pub fn hold(&self) -> Result<OwnedFd> {
        let held = bpf::attach_generic(self.program.as_fd(), LOOPBACK);
        held.context("the kernel attaches no program to the loopback interface")
    }
}

/// An array of 8 bytes each.
fn array(name: &str, entries: u32) -> Result<MapData> {
    let map = aya_obj::Map::new_from_params(MapType::Array as u32, 4, 8, entries, 0);
    MapData::create(map, name, None).with_context(|| format!("cannot make the map {name}"))
}

/// What the program writes: the address, and the checksum that belongs to it.
fn entry(frame: &[u8]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&frame[frames::SOURCE_V4..frames::SOURCE_V4 + 4]);
    bytes[4..6].copy_from_slice(&frame[frames::CHECKSUM_V4..frames::CHECKSUM_V4 + 2]);
    bytes
}

/// Where the part of the Via branch stands that tells transactions apart.
fn branch(frame: &[u8]) -> Result<usize> {
    const COOKIE: &[u8] = b"branch=z9hG4bK";
    let place = frame.windows(COOKIE.len()).position(|it| it == COOKIE);
    Ok(place.context("a frame without a branch")? + COOKIE.len())
}

/// An instruction: operation, registers (source, destination), offset, number.
fn op(code: u8, registers: u8, offset: i16, number: i32) -> [u8; 8] {
    let mut bytes = [code, registers, 0, 0, 0, 0, 0, 0];
    bytes[2..4].copy_from_slice(&offset.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// The program (linux/bpf.h has the numbers). r6 is the turn, r7 the frame.
fn code([turn, table]: [i32; 2], mask: u32, branch: usize, exit: Exit) -> Vec<u8> {
    const LOOK_UP: i32 = 1;
    const REDIRECT: i32 = 23;
    let (branch, source) = (branch as i16, frames::SOURCE_V4 as i16);
    let checksum = frames::CHECKSUM_V4 as i16;
    let mut code = vec![
        op(0x61, 0x17, 0, 0),                      // r7 = the frame
        op(0x61, 0x18, 4, 0),                      // r8 = its end
        op(0xbf, 0x71, 0, 0),                      // r1 = r7
        op(0x07, 0x01, 0, i32::from(branch) + 4),  // r1 += what is written
        op(0x2d, 0x81, 0, 0),                      // to the drop if r1 > r8
        op(0x62, 0x0a, -4, 0),                     // key = 0
        op(0x18, 0x11, 0, turn),                   // r1 = the map
        op(0x00, 0x00, 0, 0),                      //
        op(0xbf, 0xa2, 0, 0),                      // r2 = r10
        op(0x07, 0x02, 0, -4),                     // r2 -= 4: the key
        op(0x85, 0x00, 0, LOOK_UP),                // r0 = the value
        op(0x15, 0x00, 0, 0),                      // to the drop if there is none
        op(0x79, 0x06, 0, 0),                      // r6 = the turn
        op(0xbf, 0x61, 0, 0),                      // r1 = r6
        op(0x07, 0x01, 0, 1),                      // r1 += 1
        op(0x7b, 0x10, 0, 0),                      // the turn = r1
        op(0xbc, 0x61, 0, 0),                      // r1 = r6, 32 bits
        op(0x24, 0x01, 0, 0x9e37_79b1_u32 as i32), // r1 *= a number without a pattern
        op(0x74, 0x01, 0, 4),                      // r1 >>= 4
        op(0x54, 0x01, 0, 0x0f0f_0f0f),            // four numbers below 16
        op(0x04, 0x01, 0, 0x6161_6161),            // four letters
        op(0x63, 0x17, branch, 0),                 // into the branch
        op(0x54, 0x06, 0, mask as i32),            // the sender's place
        op(0x63, 0x6a, -4, 0),                     // key = r6
        op(0x18, 0x11, 0, table),                  // r1 = the map
        op(0x00, 0x00, 0, 0),                      //
        op(0xbf, 0xa2, 0, 0),                      // r2 = r10
        op(0x07, 0x02, 0, -4),                     // r2 -= 4: the key
        op(0x85, 0x00, 0, LOOK_UP),                // r0 = the value
        op(0x15, 0x00, 0, 0),                      // to the drop if there is none
        op(0x61, 0x01, 0, 0),                      // r1 = the address
        op(0x63, 0x17, source, 0),                 // into the frame
        op(0x69, 0x01, 4, 0),                      // r1 = the checksum
        op(0x6b, 0x17, checksum, 0),               // into the frame
    ];
    if let Exit::Interface(index) = exit {
        code.extend([
            op(0xb7, 0x01, 0, index.cast_signed()), // r1 = the interface
            op(0xb7, 0x02, 0, 0),                   // r2 = no flags
            op(0x85, 0x00, 0, REDIRECT),            // r0 = XDP_REDIRECT
            op(0x95, 0x00, 0, 0),                   // answer r0
        ]);
    }
    let drop = code.len();
    code.extend([op(0xb7, 0x00, 0, 1), op(0x95, 0x00, 0, 0)]); // answer XDP_DROP
    for (place, jump) in code.iter_mut().enumerate() {
        if matches!(jump[0], 0x2d | 0x15) {
            let far = (drop - place - 1) as i16;
            jump[2..4].copy_from_slice(&far.to_le_bytes());
        }
    }
    code.concat()
}
