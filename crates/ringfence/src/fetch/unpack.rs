//! Packed files: gzip (RFC 1952), ZIP and tar, told apart by their content.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::error::FetchError;
use super::part::file_error;

/// How many members of an archive are looked at.
const MEMBERS: usize = 1000;

/// Which member of an archive is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want<'a> {
    /// The only file in it.
    Only,
    /// The file whose name ends so, in any case of letters; of several endings the first that is there. Two files
    /// with the same ending are a mistake.
    Ending(&'a [&'a str]),
}

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The name of the member, its folders left out; nothing where the file is no archive.
    pub name: Option<String>,
    /// Bytes.
    pub size: u64,
}

/// Writes the data in `file` to the file `into`: of `.gz` what is packed, of `.zip` and `.tar.gz` the member that is
/// wanted, and otherwise the file as it is. No name inside an archive is ever a path here.
///
/// # Errors
/// When the file is damaged, has no such member, or has more than `most` bytes unpacked; then there is no `into`.
pub fn unpack(file: &Path, want: Want<'_>, most: u64, into: &Path) -> Result<Unpacked, FetchError> {
    let wrong = |source| file_error(into, source);
    let mut sink = BufWriter::new(File::create(into).map_err(wrong)?);
    let poured = pour(file, want, most, &mut sink).and_then(|unpacked| {
        sink.flush()
            .and_then(|()| sink.get_ref().sync_all())
            .map_err(wrong)?;
        Ok(unpacked)
    });
    if poured.is_err() {
        // It is of no use, and the next one writes over it.
        let _ = std::fs::remove_file(into);
    }
    poured
}

/// The same into memory.
///
/// # Errors
/// As [`unpack`].
pub fn unpacked(file: &Path, want: Want<'_>, most: u64) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    pour(file, want, most, &mut bytes)?;
    Ok(bytes)
}

fn pour(
    file: &Path,
    want: Want<'_>,
    most: u64,
    sink: &mut dyn Write,
) -> Result<Unpacked, FetchError> {
    let input = Input { file, most };
    let mut begin = Vec::new();
    let head = input.plain()?.take(BLOCK).read_to_end(&mut begin);
    head.map_err(|source| file_error(file, source))?;
    let gzip = begin.starts_with(&[0x1f, 0x8b]);
    if gzip {
        begin.clear();
        let head = input.gunzipped()?.take(BLOCK).read_to_end(&mut begin);
        head.map_err(|error| input.damaged("gzip", &error))?;
    }
    if begin.starts_with(b"PK\x03\x04") || begin.starts_with(b"PK\x05\x06") {
        return match gzip {
            true => Err(input.wrong("a ZIP in gzip; unpack it by hand")),
            false => input.zip(want, sink),
        };
    }
    if begin.get(257..262) == Some(b"ustar") {
        return input.tar(gzip, want, sink);
    }
    let size = match gzip {
        true => input.copy("gzip", &mut input.gunzipped()?, sink),
        false => input.copy("file", &mut input.plain()?, sink),
    }?;
    Ok(Unpacked { name: None, size })
}

/// A tar begins with a block of so many bytes.
const BLOCK: u64 = 512;

/// A packed file, and how much may come out of it.
struct Input<'a> {
    file: &'a Path,
    most: u64,
}

impl Input<'_> {
    fn plain(&self) -> Result<BufReader<File>, FetchError> {
        let opened = File::open(self.file).map_err(|source| file_error(self.file, source))?;
        Ok(BufReader::with_capacity(64 << 10, opened))
    }

    fn gunzipped(&self) -> Result<impl Read + use<>, FetchError> {
        Ok(MultiGzDecoder::new(self.plain()?))
    }

    fn wrong(&self, why: &str) -> FetchError {
        FetchError::Packed {
            path: self.file.to_owned(),
            why: why.to_owned(),
        }
    }

    fn damaged(&self, kind: &str, error: &dyn std::fmt::Display) -> FetchError {
        self.wrong(&format!(
            "the {kind} data is damaged or cut ({error}); download it again"
        ))
    }

    /// Copies no more than may come out.
    fn copy(
        &self,
        kind: &str,
        from: &mut dyn Read,
        sink: &mut dyn Write,
    ) -> Result<u64, FetchError> {
        let mut piece = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            let read = from
                .read(&mut piece)
                .map_err(|error| self.damaged(kind, &error))?;
            let fresh = piece.get(..read).unwrap_or_default();
            if fresh.is_empty() {
                return Ok(size);
            }
            size += read as u64;
            if size > self.most {
                return Err(self.large());
            }
            sink.write_all(fresh)
                .map_err(|source| file_error(self.file, source))?;
        }
    }

    fn zip(&self, want: Want<'_>, sink: &mut dyn Write) -> Result<Unpacked, FetchError> {
        let damaged = |error: zip::result::ZipError| self.damaged("ZIP", &error);
        self.few_members()?;
        let mut archive = zip::ZipArchive::new(self.plain()?).map_err(damaged)?;
        if archive.len() > MEMBERS {
            return Err(self.many());
        }
        let mut names = Vec::new();
        for index in 0..archive.len() {
            let member = archive.by_index_raw(index).map_err(damaged)?;
            names.push(member.is_file().then(|| base(member.name_raw())));
        }
        let (index, name) = self.choose(&names, want)?;
        let mut member = archive.by_index(index).map_err(damaged)?;
        let size = self.copy("ZIP", &mut member, sink)?;
        Ok(Unpacked {
            name: Some(name),
            size,
        })
    }

    /// Looks at the number of members that the end of a ZIP tells, before all of them are read into memory.
    fn few_members(&self) -> Result<(), FetchError> {
        /// The end of the central directory, with the longest comment.
        const END: u64 = 22 + 65_535;
        let wrong = |source| file_error(self.file, source);
        let mut opened = File::open(self.file).map_err(wrong)?;
        let length = opened.metadata().map_err(wrong)?.len();
        let from = io::SeekFrom::Start(length.saturating_sub(END));
        let mut end = Vec::new();
        opened.seek(from).map_err(wrong)?;
        opened.take(END).read_to_end(&mut end).map_err(wrong)?;
        let members = end
            .windows(12)
            .filter(|window| window.starts_with(b"PK\x05\x06"))
            .map(|window| u16::from_le_bytes([window[10], window[11]]));
        match members.max() {
            Some(members) if usize::from(members) > MEMBERS => Err(self.many()),
            _ => Ok(()),
        }
    }

    fn tar(
        &self,
        gzip: bool,
        want: Want<'_>,
        sink: &mut dyn Write,
    ) -> Result<Unpacked, FetchError> {
        /// For headers and files that are not wanted.
        const ROOM: u64 = 16 << 20;
        let room = self.most.saturating_add(ROOM);
        let open = || -> Result<io::Take<Box<dyn Read>>, FetchError> {
            let all: Box<dyn Read> = match gzip {
                true => Box::new(self.gunzipped()?),
                false => Box::new(self.plain()?),
            };
            Ok(all.take(room))
        };
        let damaged = |error: io::Error| self.damaged("tar", &error);
        let mut names = Vec::new();
        // Raw: names and sizes of any length that extensions give are not read.
        let mut archive = tar::Archive::new(open()?);
        for member in archive.entries().map_err(damaged)?.raw(true) {
            let member = member.map_err(damaged)?;
            if names.len() == MEMBERS {
                return Err(self.many());
            }
            let file = member.header().entry_type().is_file();
            names.push(file.then(|| base(&member.path_bytes())));
        }
        // The checksum of gzip stands at the end.
        let mut rest = archive.into_inner();
        io::copy(&mut rest, &mut io::sink()).map_err(damaged)?;
        if rest.limit() == 0 {
            return Err(self.large());
        }
        let (index, name) = self.choose(&names, want)?;
        let mut archive = tar::Archive::new(open()?);
        let mut members = archive.entries().map_err(damaged)?.raw(true);
        let member = members
            .nth(index)
            .ok_or_else(|| self.wrong("the file changed meanwhile; try again"))?;
        let mut member = member.map_err(damaged)?;
        let said = member.size();
        let size = self.copy("tar", &mut member, sink)?;
        match size == said {
            true => Ok(Unpacked {
                name: Some(name),
                size,
            }),
            false => Err(self.damaged("tar", &format!("{size} bytes of {said}"))),
        }
    }

    /// The member that is wanted: its place and its name.
    fn choose(
        &self,
        names: &[Option<String>],
        want: Want<'_>,
    ) -> Result<(usize, String), FetchError> {
        let files = || {
            let numbered = names.iter().enumerate();
            numbered.filter_map(|(index, name)| name.as_ref().map(|name| (index, name)))
        };
        let one = |mut found: Vec<(usize, &String)>| match found.len() {
            0 => Ok(None),
            1 => Ok(found.pop().map(|(index, name)| (index, name.clone()))),
            many => Err(self.wrong(&format!(
                "{many} files in it will do; unpack it by hand and name the one that is meant"
            ))),
        };
        let chosen = match want {
            Want::Only => one(files().collect())?,
            Want::Ending(endings) => {
                let mut chosen = None;
                for ending in endings {
                    let ending = ending.to_ascii_lowercase();
                    let ends = |name: &String| name.to_ascii_lowercase().ends_with(&ending);
                    chosen = one(files().filter(|(_, name)| ends(name)).collect())?;
                    if chosen.is_some() {
                        break;
                    }
                }
                chosen
            }
        };
        chosen.ok_or_else(|| {
            let wanted = match want {
                Want::Only => "file".to_owned(),
                Want::Ending(endings) => format!("file that ends in {}", endings.join(" or ")),
            };
            self.wrong(&format!(
                "there is no {wanted} in it; look at what was downloaded"
            ))
        })
    }

    fn large(&self) -> FetchError {
        let most = self.most;
        self.wrong(&format!(
            "more than {most} bytes come out of it; it is not used"
        ))
    }

    fn many(&self) -> FetchError {
        self.wrong(&format!(
            "the archive has more than {MEMBERS} members; it is not used"
        ))
    }
}

/// A name in an archive without its folders.
fn base(name: &[u8]) -> String {
    let base = name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next();
    let base = String::from_utf8_lossy(base.unwrap_or_default());
    crate::terminal::line(&base).into_owned()
}
