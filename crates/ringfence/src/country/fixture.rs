//! A small writer of MMDB files, for tests.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// A value of the data section (MaxMind DB format 2.0).
#[derive(Clone)]
pub(crate) enum Value {
    Text(&'static str),
    Short(u16),
    Word(u32),
    Long(u64),
    Map(Vec<(&'static str, Value)>),
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(out, 2, text.len());
                out.extend(text.bytes());
            }
            Self::Short(number) => {
                control(out, 5, 2);
                out.extend(number.to_be_bytes());
            }
            Self::Word(number) => {
                control(out, 6, 4);
                out.extend(number.to_be_bytes());
            }
            Self::Long(number) => {
                // An extended type: 7 + 2.
                out.extend([8, 2]);
                out.extend(number.to_be_bytes());
            }
            Self::Map(fields) => {
                control(out, 7, fields.len());
                for (key, value) in fields {
                    Self::Text(key).write(out);
                    value.write(out);
                }
            }
        }
    }
}

fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    match size {
        0..29 => out.push(kind << 5 | size as u8),
        _ => out.extend([kind << 5 | 29, (size - 29) as u8]),
    }
}

/// A record of the search tree.
#[derive(Clone, Copy, PartialEq)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

/// An IPv6 tree of 28-bit records, with IPv4 networks at `::/96`.
pub(crate) struct Mmdb {
    nodes: Vec<[Record; 2]>,
    data: Vec<u8>,
    placed: BTreeMap<Vec<u8>, usize>,
}

impl Mmdb {
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![[Record::Empty; 2]],
            data: Vec::new(),
            placed: BTreeMap::new(),
        }
    }

    /// Gives a network a record. Networks must not contain each other.
    pub(crate) fn insert(&mut self, network: &str, value: &Value) -> &mut Self {
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        let record = match self.placed.get(&bytes) {
            Some(place) => Record::Data(*place),
            None => {
                let place = self.data.len();
                self.data.extend(&bytes);
                self.placed.insert(bytes, place);
                Record::Data(place)
            }
        };
        let (bits, prefix) = parse(network);
        self.set(bits, prefix, record);
        self
    }

    /// Points a network at the node of `::/96`, as databases do for 6to4 and mapped addresses.
    pub(crate) fn alias(&mut self, network: &str) -> &mut Self {
        let mut node = 0;
        for _ in 0..96 {
            match self.nodes[node][0] {
                Record::Node(next) => node = next,
                _ => panic!("insert an IPv4 network first"),
            }
        }
        let (bits, prefix) = parse(network);
        self.set(bits, prefix, Record::Node(node));
        self
    }

    fn set(&mut self, bits: u128, prefix: u32, record: Record) {
        let mut node = 0;
        for depth in 0..prefix {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == prefix {
                assert!(
                    self.nodes[node][side] == Record::Empty,
                    "networks contain each other"
                );
                self.nodes[node][side] = record;
            } else {
                node = match self.nodes[node][side] {
                    Record::Node(next) => next,
                    _ => {
                        self.nodes.push([Record::Empty; 2]);
                        let next = self.nodes.len() - 1;
                        self.nodes[node][side] = Record::Node(next);
                        next
                    }
                };
            }
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let mut out = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(|record| match record {
                Record::Empty => count,
                Record::Node(node) => node,
                Record::Data(place) => count + 16 + place,
            });
            out.extend([left >> 16, left >> 8, left].map(|part| part as u8));
            out.push((left >> 24 << 4) as u8 | (right >> 24) as u8);
            out.extend([right >> 16, right >> 8, right].map(|part| part as u8));
        }
        out.extend([0; 16]);
        out.extend(&self.data);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        Value::Map(vec![
            ("binary_format_major_version", Value::Short(2)),
            ("binary_format_minor_version", Value::Short(0)),
            ("build_epoch", Value::Long(1_780_000_000)),
            ("database_type", Value::Text("Fixture-Country")),
            (
                "description",
                Value::Map(vec![("en", Value::Text("fixture"))]),
            ),
            ("ip_version", Value::Short(6)),
            ("languages", Value::Map(vec![])),
            ("node_count", Value::Word(count as u32)),
            ("record_size", Value::Short(28)),
        ])
        .write_metadata(&mut out);
        out
    }
}

impl Value {
    /// Metadata wants an array for `languages`: an empty one, in place of the empty map.
    fn write_metadata(&self, out: &mut Vec<u8>) {
        let Self::Map(fields) = self else {
            return self.write(out);
        };
        control(out, 7, fields.len());
        for (key, value) in fields {
            Self::Text(key).write(out);
            match *key {
                // An array is an extended type: 7 + 4.
                "languages" => out.extend([0, 4]),
                _ => value.write(out),
            }
        }
    }
}

fn parse(network: &str) -> (u128, u32) {
    let (address, prefix) = network.split_once('/').unwrap();
    let prefix: u32 = prefix.parse().unwrap();
    match address.parse().unwrap() {
        IpAddr::V4(address) => (u128::from(Ipv4Addr::to_bits(address)), prefix + 96),
        IpAddr::V6(address) => (address.to_bits(), prefix),
    }
}
