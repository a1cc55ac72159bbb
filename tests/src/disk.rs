//! A disk that can be filled and broken: ext4 on a loop file on a small tmpfs.
//!
//! ```text
//!   lab/disk    ext4 ─── loop device ─── lab/ram/image ─── tmpfs on lab/ram
//! ```
//!
//! It is mounted where only the processes of one namespace see it, and goes with the last of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::{Lab, Namespace};
use crate::may_make_namespaces;
use crate::process::{run, try_run};

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: as if the plug were pulled.
const SHUTDOWN: &str = r#"open(my $dir, "<", $ARGV[0]) or die "$ARGV[0]: $!\n";
my $flags = pack("L", 2);
ioctl($dir, 0x8004587d, $flags) or die "ioctl: $!\n";"#;

/// Whether the tests may make and mount disks here; says so where they may not.
#[must_use]
pub fn may_make_disks() -> bool {
    if !may_make_namespaces() {
        return false;
    }
    let script = "for program in mkfs.ext4 e2fsck nsenter findmnt perl; do \
                      command -v $program || { echo no $program >&2; exit 1; }; \
                  done; losetup --find && \
                  grep -qw ext4 /proc/filesystems";
    let able = try_run(Command::new("sh").args(["-ec", script]));
    if let Err(why) = &able {
        eprintln!("SKIPPED, NOTHING WAS TESTED: no ext4 on a loop device can be made: {why}");
    }
    able.is_ok()
}

/// How a disk is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The size of the tmpfs in MiB.
    pub ram: u32,
    /// The size of the file system in MiB.
    pub size: u32,
    /// How it is mounted, beside `loop`.
    pub options: &'static str,
}

/// A file system of its own in a namespace.
#[derive(Debug)]
pub struct Disk {
    namespace: Namespace,
    ram: PathBuf,
    path: PathBuf,
    options: &'static str,
}

impl Disk {
    /// Makes and mounts it. `namespace` has mounts of its own.
    #[must_use]
    pub fn new(lab: &Lab, namespace: &Namespace, plan: Plan) -> Self {
        let disk = Self {
            namespace: namespace.clone(),
            ram: lab.dir().join("ram"),
            path: lab.dir().join("disk"),
            options: plan.options,
        };
        let script = format!(
            "mkdir \"$0\" \"$1\"; mount -t tmpfs -o size={}m none \"$0\"; \
             truncate -s {}m \"$0/image\"; mkfs.ext4 -q -b 4096 -m 0 \
             -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 \"$0/image\"",
            plan.ram, plan.size
        );
        disk.sh(&script);
        disk.mount();
        disk
    }

    /// Where it is mounted, for those who see it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a script where it is mounted: `$0` is the tmpfs, `$1` the disk.
    #[allow(clippy::must_use_candidate, reason = "most scripts are silent")]
    pub fn sh(&self, script: &str) -> String {
        run(&mut self.script(script))
    }

    fn script(&self, script: &str) -> Command {
        let mut command = self.namespace.command("sh");
        command.args(["-ec", script]).args([&self.ram, &self.path]);
        command
    }

    /// Mounts it.
    pub fn mount(&self) {
        self.sh(&format!(
            "mount -o loop,{} \"$0/image\" \"$1\"",
            self.options
        ));
    }

    /// Unmounts it. Nobody uses it any more.
    pub fn unmount(&self) {
        self.sh("umount \"$1\"");
    }

    /// Octets that can be written to it.
    #[must_use]
    pub fn space(&self) -> u64 {
        let space = self.sh("stat -f -c '%a %S' \"$1\"");
        let mut numbers = space.split_whitespace().map(str::parse);
        let (Some(Ok(blocks)), Some(Ok(size))) = (numbers.next(), numbers.next()) else {
            panic!("no space in {space:?}");
        };
        let (blocks, size): (u64, u64) = (blocks, size);
        blocks * size
    }

    /// Leaves at most that many octets of it free.
    pub fn leave(&self, octets: u64) {
        let most = self.space().saturating_sub(octets);
        self.sh(&format!("fallocate -l {} \"$1/ballast\"", most.max(4096)));
    }

    /// Fills it to the last block, as far as nobody frees any in the meantime.
    pub fn fill(&self) {
        let pour = |size: &str| {
            let dd = "dd if=/dev/zero oflag=append conv=notrunc status=none";
            // It ends when there is no more space.
            let script = format!("{dd} bs={size} of=\"$1/ballast\" || true; sync -f \"$1\"");
            drop(try_run(&mut self.script(&script)));
        };
        pour("256k");
        pour("4k");
    }

    /// Removes what filled it.
    pub fn free(&self) {
        self.sh("rm -f \"$1/ballast\"");
    }

    /// Fills the tmpfs under it to the last page.
    pub fn fill_ram(&self) {
        let script = "dd if=/dev/zero bs=64k of=\"$0/ballast\" status=none || true; \
                      dd if=/dev/zero bs=4k of=\"$0/ballast\" oflag=append conv=notrunc \
                      status=none || true";
        self.sh(script);
    }

    /// Empties the tmpfs again.
    pub fn free_ram(&self) {
        self.sh("rm -f \"$0/ballast\"");
    }

    /// Pulls the plug: nothing that is not on it yet will ever be.
    pub fn shut_down(&self) {
        let mut command = self.namespace.command("perl");
        run(command.args(["-e", SHUTDOWN]).arg(&self.path));
    }

    /// Has the kernel find an error in it.
    pub fn trigger_error(&self) {
        self.sh("device=$(findmnt -n -o SOURCE \"$1\"); \
             echo test >/sys/fs/ext4/${device##*/}/trigger_fs_error");
    }

    /// Repairs it while it is not mounted.
    pub fn repair(&self) {
        // 1 and 2 say that errors were corrected.
        self.sh("e2fsck -fy \"$0/image\" || [ $? -le 2 ]");
    }
}
