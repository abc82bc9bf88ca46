//! The system call `bpf` where aya has no safe way: map values of hundreds of kilobytes, and links that
//! must be pinnable or not be at all. All `unsafe` code of the daemon's kernel side stands here.

use std::ffi::CString;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use aya::maps::{MapData, MapType, RingBuf};
use tokio::io::unix::AsyncFd;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Commands of `bpf` (linux/bpf.h).
mod command {
    pub const MAP_LOOKUP_ELEM: libc::c_long = 1;
    pub const MAP_UPDATE_ELEM: libc::c_long = 2;
    pub const MAP_DELETE_ELEM: libc::c_long = 3;
    pub const MAP_GET_NEXT_KEY: libc::c_long = 4;
    pub const OBJ_PIN: libc::c_long = 6;
    pub const OBJ_GET: libc::c_long = 7;
    pub const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
    pub const LINK_CREATE: libc::c_long = 28;
    pub const LINK_UPDATE: libc::c_long = 29;
    pub const LINK_DETACH: libc::c_long = 34;
}

/// The attach type `BPF_XDP`.
const BPF_XDP: u32 = 37;
/// The attach type `BPF_TCX_EGRESS`, of Linux 6.6 and later.
const BPF_TCX_EGRESS: u32 = 47;
/// The link type `BPF_LINK_TYPE_XDP`.
const LINK_TYPE_XDP: u32 = 6;
/// The link type `BPF_LINK_TYPE_TCX`.
const LINK_TYPE_TCX: u32 = 11;
/// Attach in the network stack.
pub const FLAG_GENERIC: u32 = 1 << 1;
/// Attach in the driver.
pub const FLAG_DRIVER: u32 = 1 << 2;

#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Element {
    map: u32,
    zero: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Object {
    path: u64,
    fd: u32,
    flags: u32,
}

#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

/// The beginning of `struct bpf_link_info`, of a link to an interface.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    zero: u32,
    interface: u32,
    rest: [u32; 11],
}

/// Calls `bpf`.
///
/// # Safety
/// Every address in `attributes` must be valid for what the command reads and writes there.
unsafe fn bpf<T: IntoBytes + Immutable>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    let (address, length) = (std::ptr::from_ref(attributes), size_of::<T>());
    // SAFETY: the attributes are `length` readable bytes; the caller answers for the addresses in them.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, address, length) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(answer).map_err(io::Error::other)
}

fn fd(fd: &impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd().cast_unsigned()
}

/// Makes a descriptor of what `bpf` answered.
///
/// # Safety
/// `fd` must be a descriptor that was just opened for the caller alone.
unsafe fn owned(fd: i32) -> OwnedFd {
    // SAFETY: as the caller promises.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A map whose keys and values are known to have the size of `K` and `V`.
#[derive(Debug)]
pub struct Table<K, V> {
    map: MapData,
    per_cpu: usize,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Table<K, V>
where
    K: FromBytes + IntoBytes + Immutable,
    V: FromBytes + IntoBytes + Immutable,
{
    /// Takes a map over if its keys and values have these sizes.
    pub fn new(map: MapData) -> io::Result<Self> {
        let info = map.info().map_err(io::Error::other)?;
        let sizes = (info.key_size() as usize, info.value_size() as usize);
        if sizes != (size_of::<K>(), size_of::<V>()) {
            return Err(io::Error::other(format!(
                "its keys and values have {} and {} bytes",
                sizes.0, sizes.1
            )));
        }
        let per_cpu = match info.map_type().map_err(io::Error::other)? {
            MapType::PerCpuArray | MapType::PerCpuHash | MapType::LruPerCpuHash => {
                aya::util::nr_cpus().map_err(|(_, source)| source)?
            }
            _ => 0,
        };
        if per_cpu != 0 && !size_of::<V>().is_multiple_of(8) {
            return Err(io::Error::other("its values are no whole words"));
        }
        Ok(Self {
            map,
            per_cpu,
            types: PhantomData,
        })
    }

    fn element(&self, key: u64, value: u64) -> Element {
        Element {
            map: fd(self.map.fd()),
            zero: 0,
            key,
            value,
            flags: 0,
        }
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &K) -> io::Result<Option<Box<V>>> {
        let mut value = V::new_box_zeroed().map_err(|_| io::ErrorKind::OutOfMemory)?;
        if self.per_cpu != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let element = self.element(address(key), address_mut(&mut *value));
        // SAFETY: `new` saw that the kernel reads `size_of::<K>()` bytes and writes `size_of::<V>()`.
        present(unsafe { bpf(command::MAP_LOOKUP_ELEM, &element) })
            .map(|there| there.then_some(value))
    }

    /// The values that the CPUs have for a key.
    pub fn of_each_cpu(&self, key: &K) -> io::Result<Vec<V>> {
        let mut values = Vec::with_capacity(self.per_cpu);
        values.resize_with(self.per_cpu, V::new_zeroed);
        if self.per_cpu == 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let element = self.element(address(key), values.as_mut_ptr().expose_provenance() as u64);
        // SAFETY: the kernel writes a value for each possible CPU, each of a whole number of words, which `new` saw.
        present(unsafe { bpf(command::MAP_LOOKUP_ELEM, &element) }).map(|_| values)
    }

    /// Puts a value in its place.
    pub fn set(&self, key: &K, value: &V) -> io::Result<()> {
        if self.per_cpu != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let element = self.element(address(key), address(value));
        // SAFETY: `new` saw that the kernel reads `size_of::<K>()` and `size_of::<V>()` bytes.
        unsafe { bpf(command::MAP_UPDATE_ELEM, &element) }.map(|_| ())
    }

    /// Gives each CPU its value, as [`Table::of_each_cpu`] read them.
    pub fn set_each_cpu(&self, key: &K, values: &[V]) -> io::Result<()> {
        if self.per_cpu == 0 || values.len() != self.per_cpu {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let element = self.element(address(key), values.as_ptr().expose_provenance() as u64);
        // SAFETY: the kernel reads a value for each possible CPU, each of a whole number of words, which `new` saw.
        unsafe { bpf(command::MAP_UPDATE_ELEM, &element) }.map(|_| ())
    }

    /// Elements that there is room for.
    pub fn room(&self) -> io::Result<u32> {
        Ok(self.map.info().map_err(io::Error::other)?.max_entries())
    }

    /// Removes a key; whether it was there.
    pub fn remove(&self, key: &K) -> io::Result<bool> {
        // SAFETY: `new` saw that the kernel reads `size_of::<K>()` bytes.
        present(unsafe { bpf(command::MAP_DELETE_ELEM, &self.element(address(key), 0)) })
    }

    /// All keys. While others change the map a key may be missing, or come twice.
    pub fn keys(&self) -> io::Result<Vec<K>> {
        let most = self.room()? as usize * 2;
        let mut keys: Vec<K> = Vec::new();
        while keys.len() < most {
            let mut next = K::new_zeroed();
            let element = self.element(keys.last().map_or(0, address), address_mut(&mut next));
            // SAFETY: `new` saw that keys have `size_of::<K>()` bytes; no key asks for the first.
            if !present(unsafe { bpf(command::MAP_GET_NEXT_KEY, &element) })? {
                break;
            }
            keys.push(next);
        }
        Ok(keys)
    }
}

fn address<T>(value: &T) -> u64 {
    std::ptr::from_ref(value).expose_provenance() as u64
}

fn address_mut<T>(value: &mut T) -> u64 {
    std::ptr::from_mut(value).expose_provenance() as u64
}

fn present(answer: io::Result<i32>) -> io::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A program's link to an interface. The program stays attached while the link is open or pinned.
#[derive(Debug)]
pub struct Link(OwnedFd);

impl Link {
    /// Attaches an XDP program to the interface with this index; `flags` say where. Another program that is attached
    /// there is an error, never replaced.
    pub fn create(program: BorrowedFd<'_>, interface: u32, flags: u32) -> io::Result<Self> {
        let attributes = [fd(&program), interface, BPF_XDP, flags];
        // SAFETY: the command's attributes hold no address.
        let link = unsafe { bpf(command::LINK_CREATE, &attributes) }?;
        // SAFETY: the kernel opened it for us.
        Ok(Self(unsafe { owned(link) }))
    }

    /// Attaches a program to what the interface with this index sends, behind those that are there.
    pub fn create_egress(program: BorrowedFd<'_>, interface: u32) -> io::Result<Self> {
        // Neither flags nor another program to stand before or behind.
        let attributes = [fd(&program), interface, BPF_TCX_EGRESS, 0, 0, 0, 0, 0];
        // SAFETY: the command's attributes hold no address.
        let link = unsafe { bpf(command::LINK_CREATE, &attributes) }?;
        // SAFETY: the kernel opened it for us.
        Ok(Self(unsafe { owned(link) }))
    }

    /// Opens a pinned link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let name = CString::new(path.as_os_str().as_bytes())?;
        let object = Object {
            path: name.as_ptr().expose_provenance() as u64,
            fd: 0,
            flags: 0,
        };
        // SAFETY: the path is a string with its end.
        let link = unsafe { bpf(command::OBJ_GET, &object) }?;
        // SAFETY: the kernel opened it for us.
        Ok(Self(unsafe { owned(link) }))
    }

    /// Pins it.
    pub fn pin(&self, path: &Path) -> io::Result<()> {
        let name = CString::new(path.as_os_str().as_bytes())?;
        let object = Object {
            path: name.as_ptr().expose_provenance() as u64,
            fd: fd(&self.0),
            flags: 0,
        };
        // SAFETY: the path is a string with its end.
        unsafe { bpf(command::OBJ_PIN, &object) }.map(|_| ())
    }

    /// Puts another program in the place of the one that is attached; no packet passes between them.
    pub fn replace(&self, program: BorrowedFd<'_>) -> io::Result<()> {
        let attributes = [fd(&self.0), fd(&program), 0, 0];
        // SAFETY: the command's attributes hold no address.
        unsafe { bpf(command::LINK_UPDATE, &attributes) }.map(|_| ())
    }

    /// Detaches the program now. Where only the pin is removed, the kernel does so a moment later.
    pub fn detach(&self) -> io::Result<()> {
        // SAFETY: the command's attributes hold no address.
        unsafe { bpf(command::LINK_DETACH, &fd(&self.0)) }.map(|_| ())
    }

    /// The index of the interface; None where that is gone, or the link is to something else.
    pub fn interface(&self) -> io::Result<Option<u32>> {
        let mut info = LinkInfo::default();
        let length = u32::try_from(size_of::<LinkInfo>()).map_err(io::Error::other)?;
        let request = Info {
            fd: fd(&self.0),
            length,
            info: address_mut(&mut info),
        };
        // SAFETY: the kernel writes at most `length` bytes there.
        unsafe { bpf(command::OBJ_GET_INFO_BY_FD, &request) }?;
        let known = matches!(info.kind, LINK_TYPE_XDP | LINK_TYPE_TCX);
        Ok(Some(info.interface).filter(|index| known && *index != 0))
    }
}

/// Waits until every program that runs now has ended; whether the kernel could say so.
pub fn wait_for_readers() -> bool {
    const GLOBAL: libc::c_long = 1;
    // SAFETY: the call takes numbers alone.
    unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) == 0 }
}

/// A ring buffer whose reader can wait.
pub fn readiness(ring: RingBuf<MapData>) -> io::Result<AsyncFd<RingBuf<MapData>>> {
    // SAFETY: the ring owns its descriptor, which stays open and the same until the ring is dropped.
    unsafe { AsyncFd::register(ring) }.map_err(Into::into)
}
