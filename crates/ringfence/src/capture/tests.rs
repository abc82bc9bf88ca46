use std::io::{self, Cursor, Read};

use proptest::prelude::*;

use super::*;

type Owned = (u64, u64, Link, Vec<u8>, u32);

/// All packets of `bytes`, and the error that ended them if there was one.
fn read(reader: impl Read) -> (Vec<Owned>, Option<CaptureError>) {
    let mut capture = match Capture::from_reader(reader, None) {
        Ok(capture) => capture,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut packets = Vec::new();
    while let Some(next) = capture.next_packet() {
        match next {
            Ok(p) => packets.push((p.n, p.time, p.link, p.data.to_vec(), p.original_len)),
            Err(error) => {
                assert!(capture.next_packet().is_none(), "nothing follows an error");
                return (packets, Some(error));
            }
        }
    }
    (packets, None)
}

/// Gives one byte at a time, as a slow pipe would.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(0);
        };
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

/// Encodes numbers in either byte order.
struct Order(bool);

impl Order {
    fn u16(&self, value: u16) -> [u8; 2] {
        if self.0 {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn u32(&self, value: u32) -> [u8; 4] {
        if self.0 {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn pcap(&self, magic: u32, link_type: u32, packets: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut out = self.u32(magic).to_vec();
        out.extend([self.u16(2), self.u16(4)].concat());
        out.extend(
            [
                self.u32(0),
                self.u32(0),
                self.u32(65_535),
                self.u32(link_type),
            ]
            .concat(),
        );
        for (seconds, fraction, data) in packets {
            let length = data.len() as u32;
            out.extend(
                [*seconds, *fraction, length, length + 7]
                    .map(|v| self.u32(v))
                    .concat(),
            );
            if magic == 0xa1b2_cd34 {
                out.extend([0; 8]);
            }
            out.extend(*data);
        }
        out
    }

    fn block(&self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32(padded as u32 + 12);
        let mut out = [self.u32(kind), length].concat();
        out.extend(body);
        out.resize(8 + padded, 0);
        out.extend(length);
        out
    }

    fn section(&self) -> Vec<u8> {
        let body = [
            &self.u32(0x1a2b_3c4d)[..],
            &self.u16(1),
            &self.u16(0),
            &[0xff; 8],
        ];
        self.block(0x0a0d_0d0a, &body.concat())
    }

    fn interface(&self, link_type: u16, snaplen: u32, resolution: Option<u8>) -> Vec<u8> {
        let mut body = [&self.u16(link_type)[..], &[0, 0], &self.u32(snaplen)].concat();
        if let Some(resolution) = resolution {
            body.extend([self.u16(9), self.u16(1)].concat());
            body.extend([resolution, 0, 0, 0]);
            body.extend([0; 4]);
        }
        self.block(1, &body)
    }

    fn enhanced(&self, interface: u32, stamp: u64, data: &[u8]) -> Vec<u8> {
        let length = data.len() as u32;
        let fields = [
            interface,
            (stamp >> 32) as u32,
            stamp as u32,
            length,
            length,
        ];
        let mut body = fields.map(|value| self.u32(value)).concat();
        body.extend(data);
        self.block(6, &body)
    }

    fn simple(&self, original_len: u32, data: &[u8]) -> Vec<u8> {
        self.block(3, &[&self.u32(original_len)[..], data].concat())
    }
}

fn ethernet() -> Vec<u8> {
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    writer.write(1_700_000_000_000_000_001, b"first").unwrap();
    writer
        .write(1_700_000_001_999_999_999, &[7; 1_500])
        .unwrap();
    writer.write(1_700_000_002_000_000_000, b"").unwrap();
    writer.finish().unwrap()
}

#[test]
fn what_the_writer_writes_is_read_back() {
    let bytes = ethernet();
    let expected = vec![
        (
            1,
            1_700_000_000_000_000_001,
            Link::Ethernet,
            b"first".to_vec(),
            5,
        ),
        (
            2,
            1_700_000_001_999_999_999,
            Link::Ethernet,
            vec![7; 1_500],
            1_500,
        ),
        (3, 1_700_000_002_000_000_000, Link::Ethernet, vec![], 0),
    ];
    for (packets, error) in [read(Cursor::new(&bytes)), read(Trickle(&bytes))] {
        assert_eq!(packets, expected);
        assert!(error.is_none());
    }
    let error = CaptureWriter::new(io::sink())
        .unwrap()
        .write(u64::MAX, b"")
        .unwrap_err();
    assert!(error.to_string().contains("2106"));
}

#[test]
fn pcap_in_both_orders_and_resolutions() {
    for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1)] {
        for big in [false, true] {
            let bytes = Order(big).pcap(magic, 0x1000_0001, &[(5, 6, b"abc"), (7, 8, b"d")]);
            let (packets, error) = read(Cursor::new(bytes));
            assert!(error.is_none());
            let abc = (
                1,
                5_000_000_000 + 6 * unit,
                Link::Ethernet,
                b"abc".to_vec(),
                10,
            );
            let d = (
                2,
                7_000_000_000 + 8 * unit,
                Link::Ethernet,
                b"d".to_vec(),
                8,
            );
            assert_eq!(packets, [abc, d]);
        }
    }
    let bytes = Order(false).pcap(0xa1b2_cd34, 1, &[(5, 6, b"abc"), (7, 8, b"d")]);
    let (packets, error) = read(Cursor::new(bytes));
    assert!(error.is_none());
    assert_eq!((packets.len(), &packets[1].3[..]), (2, &b"d"[..]));
}

#[test]
fn a_cooked_packet_tells_where_its_network_header_begins() {
    let mut sll2 = vec![0; 20];
    sll2[..2].copy_from_slice(&[0x08, 0x00]);
    sll2.extend(b"\x45ip");
    let bytes = Order(false).pcap(0xa1b2_c3d4, 276, &[(0, 0, &sll2), (0, 0, b"short")]);
    let mut capture = Capture::from_reader(Cursor::new(bytes), None).unwrap();
    let packet = capture.next_packet().unwrap().unwrap();
    assert_eq!(
        packet.link,
        Link::Cooked {
            protocol: 0x0800,
            header_len: 20
        }
    );
    assert_eq!(packet.after_link(), b"\x45ip");
    assert_eq!(capture.next_packet().unwrap().unwrap().after_link(), b"");
}

#[test]
fn pcapng_with_sections_interfaces_resolutions_and_unknown_blocks() {
    let (little, big) = (Order(false), Order(true));
    let bytes = [
        little.section(),
        little.interface(1, 0, None),
        little.interface(101, 0, Some(9)),
        little.enhanced(0, 1_000_000, b"abcde"),
        little.block(0x0bad, &vec![1; MAX_RECORD * 2]),
        little.enhanced(1, 5, b"\x45raw"),
        little.simple(9, b"simple---"),
        big.section(),
        big.interface(113, 3, Some(0x80 | 1)),
        big.simple(100, b"cut---"),
        big.enhanced(0, 3, &[0; 16]),
        big.interface(105, 0, None),
        big.enhanced(1, 0, b"wifi"),
    ]
    .concat();
    let cooked = Link::Cooked {
        protocol: 0,
        header_len: 16,
    };
    let expected = vec![
        (1, 1_000_000_000, Link::Ethernet, b"abcde".to_vec(), 5),
        (2, 5, Link::RawIp, b"\x45raw".to_vec(), 4),
        (3, 5, Link::Ethernet, b"simple---".to_vec(), 9),
        (4, 5, cooked, b"cut".to_vec(), 100),
        (5, 1_500_000_000, cooked, vec![0; 16], 16),
        (6, 0, Link::Unsupported(105), b"wifi".to_vec(), 4),
    ];
    for (packets, error) in [read(Cursor::new(&bytes)), read(Trickle(&bytes))] {
        assert!(error.is_none(), "{error:?}");
        assert_eq!(packets, expected);
    }
}

#[test]
fn a_file_cut_anywhere_gives_the_packets_before_and_the_offset() {
    let order = Order(true);
    let ng = [
        order.section(),
        order.interface(1, 0, Some(9)),
        order.enhanced(0, 1, b"abcde"),
        order.block(0x0bad, &[1; 30]),
        order.simple(3, b"abc"),
        order.enhanced(0, 2, b"x"),
    ]
    .concat();
    for whole in [ethernet(), ng] {
        let (all, _) = read(Cursor::new(&whole));
        for cut in 0..whole.len() {
            let (packets, error) = read(Cursor::new(&whole[..cut]));
            assert_eq!(packets, all[..packets.len()], "cut at {cut}");
            match error {
                Some(CaptureError::Foreign { .. }) => assert!(cut < 4),
                Some(CaptureError::Truncated { offset, .. }) => assert!(offset < cut as u64),
                Some(other) => panic!("cut at {cut}: {other}"),
                // Cut between two records: what is there is whole.
                None => assert!(read(Cursor::new(&whole[..cut + 1])).1.is_some()),
            }
        }
    }
}

#[test]
fn a_hostile_length_is_refused_and_nothing_large_is_allocated() {
    let mut pcap = ethernet();
    pcap[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut capture = Capture::from_reader(Cursor::new(pcap), None).unwrap();
    let error = capture.next_packet().unwrap().unwrap_err();
    assert!(matches!(
        error,
        CaptureError::TooLong {
            offset: 24,
            claimed: 0xffff_ffff
        }
    ));
    assert!(capture.window.capacity() <= MAX_RECORD);

    let order = Order(false);
    let mut packet = order.enhanced(0, 0, b"abcd");
    packet[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let bytes = [order.section(), order.interface(1, 0, None), packet].concat();
    assert!(matches!(
        read(Cursor::new(bytes)).1,
        Some(CaptureError::TooLong { offset: 48, .. })
    ));

    let mut packet = order.enhanced(0, 0, b"abcd");
    packet[20..24].copy_from_slice(&5_000_u32.to_le_bytes());
    let bytes = [order.section(), order.interface(1, 0, None), packet].concat();
    assert!(matches!(
        read(Cursor::new(bytes)).1,
        Some(CaptureError::Malformed { offset: 48, .. })
    ));
}

#[test]
fn the_largest_record_is_read() {
    let largest = vec![9; MAX_RECORD - 16];
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    for time in 0..3 {
        writer.write(time, &largest).unwrap();
    }
    let (packets, error) = read(Cursor::new(writer.finish().unwrap()));
    assert!(error.is_none());
    assert!(packets.len() == 3 && packets.iter().all(|packet| packet.3 == largest));
}

#[test]
fn a_foreign_file_is_told_from_a_capture() {
    let (_, error) = read(Cursor::new(b"<html>"));
    assert!(error.unwrap().to_string().ends_with("begins with 3c68746d"));
    let (_, error) = read(Cursor::new(b""));
    assert!(error.unwrap().to_string().contains("the file is empty"));
    let (_, error) = read(Cursor::new(b"\x1f\x8b\x08\x00"));
    assert!(error.unwrap().to_string().contains("gunzip"));
    let (_, error) = read(Cursor::new(Order(false).pcap(0xa1b2_c3d4, 105, &[])));
    assert!(matches!(error, Some(CaptureError::UnsupportedLink(105))));
}

#[test]
fn progress_reaches_the_length_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pcap");
    let bytes = ethernet();
    std::fs::write(&path, &bytes).unwrap();
    let mut capture = Capture::open(&path).unwrap();
    let total = Some(bytes.len() as u64);
    assert_eq!(capture.progress(), Progress { read: 24, total });
    capture.next_packet().unwrap().unwrap();
    assert_eq!(
        capture.progress(),
        Progress {
            read: 24 + 16 + 5,
            total
        }
    );
    while capture.next_packet().is_some() {}
    assert_eq!(Some(capture.progress().read), total);
    let missing = Capture::open(directory.path().join("none")).unwrap_err();
    assert!(missing.to_string().contains("none"));
}

proptest! {
    #[test]
    fn random_bytes_neither_panic_nor_grow(
        start in 0usize..6,
        noise in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let order = Order(start % 2 == 0);
        let mut bytes = match start {
            0 | 1 => order.pcap(0xa1b2_c3d4, 1, &[]),
            2 | 3 => order.section(),
            4 => [order.section(), order.interface(1, 0, None)].concat(),
            _ => Vec::new(),
        };
        bytes.extend(noise);
        bounded(&bytes)?;
    }

    #[test]
    fn a_damaged_capture_neither_panics_nor_grows(
        big in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let order = Order(big);
        let mut bytes = [
            order.section(),
            order.interface(1, 0, Some(9)),
            order.enhanced(0, 1, b"abcde"),
            order.simple(3, b"abc"),
            order.enhanced(0, 2, b"x"),
        ]
        .concat();
        for (index, value) in damage {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bounded(&bytes)?;
    }
}

/// Reads all of `bytes` and checks that no packet is longer than what was given and the window stayed small.
fn bounded(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(mut capture) = Capture::from_reader(Cursor::new(bytes), None) else {
        return Ok(());
    };
    while let Some(Ok(packet)) = capture.next_packet() {
        prop_assert!(packet.data.len() <= bytes.len());
    }
    prop_assert!(capture.window.capacity() <= MAX_RECORD);
    prop_assert!(capture.progress().read <= bytes.len() as u64);
    Ok(())
}
