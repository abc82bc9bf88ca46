//! Against the kernel, in a BPF file system of their own. Without root they say that they were skipped.

use std::path::Path;
use std::process::Command;

use aya::programs::TcAttachType;
use aya::programs::tc::{NlOptions, TcAttachOptions};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use ringfence_core::address::Address;
use ringfence_core::bench::{Listed, list_flags};
use ringfence_core::country::CountryTable;
use ringfence_core::policy::Policy;
use tempfile::TempDir;
use zerocopy::FromZeros;

use super::raw::Table;
use super::{Fence, FenceError, Pins, egress};
use crate::engine::{Attached, Engine as _, Lists};

/// A BPF file system for one test.
struct Bpffs(TempDir);

impl Bpffs {
    fn mount() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: needs root");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        mount(
            Some("bpf"),
            directory.path(),
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )
        .unwrap();
        Some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        let _ = umount2(self.path(), MntFlags::MNT_DETACH);
    }
}

fn ip(arguments: &str) {
    assert!(
        Command::new("ip")
            .args(arguments.split(' '))
            .status()
            .unwrap()
            .success(),
        "ip {arguments}"
    );
}

fn policy(generation: u64) -> Box<Policy> {
    let mut policy = Policy::new_box_zeroed().unwrap();
    policy.generation = generation;
    policy
}

#[test]
fn a_pinned_map_of_another_size_is_refused() {
    let Some(bpffs) = Bpffs::mount() else { return };
    let pins = Pins::below(bpffs.path());
    pins.create().unwrap();
    pins.check().unwrap();
    let map = aya::maps::Array::<aya::maps::MapData, u64>::create(1, 0).unwrap();
    map.pin(pins.map("POLICY")).unwrap();
    let error = pins.check().unwrap_err();
    assert!(
        matches!(error, FenceError::Layout { name: "POLICY", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("ringfence stop"), "{error}");
    assert!(matches!(
        Fence::load(bpffs.path(), 0, false).unwrap_err(),
        FenceError::Layout { .. }
    ));
    assert!(pins.remove().unwrap());
    assert!(!pins.remove().unwrap());
    pins.check().unwrap();
}

#[test]
fn pins_in_the_hands_of_others_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let Some(bpffs) = Bpffs::mount() else { return };
    let root = bpffs.path().join("ringfence");
    let pins = Pins::below(bpffs.path());
    std::fs::create_dir(&root).unwrap();
    std::os::unix::fs::chown(&root, Some(65534), None).unwrap();
    let error = pins.create().unwrap_err();
    assert!(matches!(error, FenceError::Foreign { .. }), "{error}");
    std::os::unix::fs::chown(&root, Some(0), None).unwrap();
    pins.create().unwrap();
    let writable = std::fs::Permissions::from_mode(0o770);
    std::fs::set_permissions(&root, writable).unwrap();
    assert!(matches!(pins.create(), Err(FenceError::Foreign { .. })));

    // What a planted link leads to is not touched.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("etc/passwd");
    std::fs::create_dir(elsewhere.path().join("etc")).unwrap();
    std::fs::write(&file, "root").unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &root).unwrap();
    assert!(matches!(pins.remove(), Err(FenceError::Foreign { .. })));
    assert!(matches!(pins.create(), Err(FenceError::Foreign { .. })));
    assert!(file.exists());
    std::fs::remove_file(&root).unwrap();
}

#[test]
fn a_table_of_another_size_is_not_opened() {
    let Some(bpffs) = Bpffs::mount() else { return };
    let path = bpffs.path().join("map");
    aya::maps::Array::<aya::maps::MapData, u64>::create(1, 0)
        .unwrap()
        .pin(&path)
        .unwrap();
    let map = || aya::maps::MapData::from_pin(&path).unwrap();
    assert!(Table::<u32, [u64; 2]>::new(map()).is_err());
    let table = Table::<u32, u64>::new(map()).unwrap();
    table.set(&0, &7).unwrap();
    assert_eq!(table.get(&0).unwrap().as_deref(), Some(&7));
    assert_eq!(table.keys().unwrap(), [0]);
    assert_eq!(table.get(&1).unwrap(), None);
}

#[test]
fn a_fence_is_taken_over_in_place() {
    let Some(bpffs) = Bpffs::mount() else { return };
    let namespace = || nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            namespace();
            ip("link add sip.0 type veth peer name sip1");
            let index = nix::net::if_::if_nametoindex("sip.0").unwrap();
            let countries = CountryTable::new_box_zeroed().unwrap();
            let mut fence = Fence::load(bpffs.path(), 0, false).unwrap();
            assert!(!fence.taken_over());
            fence
                .put(&policy(1), Some(&countries), Lists::new())
                .unwrap();
            assert!(matches!(
                fence.attach("sip.0", index).unwrap(),
                Attached::Driver
            ));
            let key = fence.key();
            drop(fence);

            let mut fence = Fence::load(bpffs.path(), 0, false).unwrap();
            assert!(fence.taken_over());
            assert!(fence.key() == key);
            assert_eq!(fence.attached(), ["sip.0"]);
            fence
                .put(&policy(2), Some(&countries), Lists::new())
                .unwrap();
            assert!(matches!(
                fence.attach("sip.0", index).unwrap(),
                Attached::TakenOver
            ));

            ip("link delete sip.0");
            ip("link add sip.0 type veth peer name sip1");
            let index = nix::net::if_::if_nametoindex("sip.0").unwrap();
            assert!(matches!(
                fence.attach("sip.0", index).unwrap(),
                Attached::Driver
            ));
            drop(fence);
            assert!(Pins::below(bpffs.path()).remove().unwrap());
        });
        run.join().unwrap();
    });
}

/// The filters of what an interface sends, by priority.
fn filters() -> Vec<String> {
    let command = ["filter", "show", "dev", "sip0", "egress"];
    let shown = Command::new("tc").args(command).output().unwrap().stdout;
    let shown = String::from_utf8(shown).unwrap();
    let filters = shown.lines().filter(|line| line.contains(" handle "));
    let priority = |line: &str| line.split(' ').nth(4).unwrap_or_default().to_owned();
    filters.map(priority).collect()
}

#[test]
fn a_filter_of_what_is_sent_is_one_and_no_other_is_removed() {
    let Some(bpffs) = Bpffs::mount() else { return };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            ip("link add sip0 type veth peer name sip1");
            let mut fence = Fence::load(bpffs.path(), 0, false).unwrap();
            fence.attach_filter("sip0").unwrap();
            // Another owner's, of a program with the same name.
            let other = TcAttachOptions::Netlink(NlOptions {
                priority: 7,
                ..NlOptions::default()
            });
            let program = fence.egress_program_mut().unwrap();
            let kind = TcAttachType::Egress;
            let other = program.attach_with_options("sip0", kind, other).unwrap();
            std::mem::forget(program.take_link(other).unwrap());
            drop(fence);
            assert_eq!(filters(), ["7", "21062"]);

            let mut fence = Fence::load(bpffs.path(), 0, false).unwrap();
            fence.attach_filter("sip0").unwrap();
            assert_eq!(filters(), ["7", "21062"]);
            egress::detach_filter("sip0");
            assert_eq!(filters(), ["7"]);
        });
    });
}

#[test]
fn lists_without_room_leave_the_old_ones_whole() {
    let Some(bpffs) = Bpffs::mount() else { return };
    // So many addresses of one /8, permitted.
    let many = |first: u8| -> Lists {
        let addresses = (0..140_000u32).map(|n| {
            let [_, b, c, d] = n.to_be_bytes();
            (Address::v4([first, b, c, d]), 128)
        });
        let permitted = Listed {
            flags: list_flags::PERMITTED,
            ..Listed::default()
        };
        addresses.map(|key| (key, permitted)).collect()
    };
    let countries = CountryTable::new_box_zeroed().unwrap();
    let mut fence = Fence::load(bpffs.path(), 0, false).unwrap();
    fence.put(&policy(1), Some(&countries), many(10)).unwrap();
    let error = fence.put(&policy(2), None, many(11)).unwrap_err();
    assert!(
        matches!(error, FenceError::Full { count: 280_000, .. }),
        "{error}"
    );
    drop(fence);
    let mut fence = Fence::load(bpffs.path(), 0, false).unwrap();
    assert_eq!(fence.lists().len(), 140_000);
    // Part of the way is room enough.
    fence.put(&policy(2), None, Lists::new()).unwrap();
    fence.put(&policy(3), None, many(11)).unwrap();
    assert_eq!(fence.lists().len(), 140_000);
}
