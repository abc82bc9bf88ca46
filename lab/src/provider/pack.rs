//! Packed files, and packed files that are traps.

use std::io::{self, Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory takes all");
    packed.finish().expect("memory takes all")
}

/// A gzip bomb: `size` zeros, in about a thousandth of the bytes.
pub fn gzip_of_zeros(size: u64) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    zeros(size, &mut packed);
    packed.finish().expect("memory takes all")
}

/// A ZIP of files: names, which may be paths, and bytes.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let started = packed.start_file(*name, SimpleFileOptions::default());
        started.expect("a name that a ZIP may have");
        packed.write_all(bytes).expect("memory takes all");
    }
    packed.finish().expect("memory takes all").into_inner()
}

/// A ZIP bomb: one file of `size` zeros.
pub fn zip_of_zeros(name: &str, size: u64) -> Vec<u8> {
    let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
    let started = packed.start_file(name, SimpleFileOptions::default().large_file(true));
    started.expect("a name that a ZIP may have");
    zeros(size, &mut packed);
    packed.finish().expect("memory takes all").into_inner()
}

/// A `.tar.gz` of files: names, which may be any, and bytes.
pub fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packed = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        // Written by hand, since the crate takes no `..`.
        let field = &mut header.as_old_mut().name;
        for (to, from) in field.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        packed.append(&header, *bytes).expect("memory takes all");
    }
    let packed = packed.into_inner().expect("memory takes all");
    packed.finish().expect("memory takes all")
}

fn zeros(size: u64, sink: &mut impl Write) {
    io::copy(&mut io::repeat(0).take(size), sink).expect("memory takes all");
}
