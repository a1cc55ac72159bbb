//! A laboratory: namespaces, the links between them, and a folder, all of which go with it.
//!
//! ```text
//!   namespace "server"                namespace "client"
//!          eth0 ────────┐     ┌──────── eth0
//!                       port  port
//!                    bridge in a namespace of its own: a `Link`
//! ```
//!
//! Nothing of the host is touched: every interface lives in a namespace, and what a client mounts
//! over `/run` and the like stays in the mount namespace that `ip netns exec` makes.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{Process, run, try_run};

/// Where the folders of all laboratories are. Short: the paths of sockets have little room.
const ROOT: &str = "/tmp/lessor-lab";

/// Namespaces and a folder that are removed at the end, also when the test panics.
///
/// What a killed test run left behind is removed by the next laboratory: each holds a lock on a
/// file in its folder, and a folder without one has no owner any more.
#[derive(Debug)]
pub struct Lab {
    id: String,
    dir: PathBuf,
    _lock: File,
    namespaces: RefCell<Vec<Namespace>>,
    /// Processes that keep mount namespaces.
    keepers: RefCell<Vec<Process>>,
}

impl Lab {
    /// An empty laboratory.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("lt{}-{count}", process::id());
        let dir = Path::new(ROOT).join(&id);
        fs::create_dir_all(ROOT).expect("the folder of the laboratories");
        // One at a time, so that no new folder is seen between its making and its lock.
        let gate = File::create(Path::new(ROOT).join("gate")).expect("the gate's file");
        gate.lock().expect("the gate's lock");
        remove_orphans();
        fs::create_dir(&dir).expect("the folder of the laboratory");
        let lock = File::create(dir.join("lock")).expect("the laboratory's lock file");
        lock.try_lock().expect("the laboratory's lock");
        Self {
            id,
            dir,
            _lock: lock,
            namespaces: RefCell::default(),
            keepers: RefCell::default(),
        }
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A new namespace, its loopback up.
    #[must_use]
    pub fn namespace(&self, role: &str) -> Namespace {
        let namespace = Namespace {
            name: format!("{}-{role}", self.id),
            role: role.to_owned(),
            keeper: None,
        };
        run(Command::new("ip").args(["netns", "add", &namespace.name]));
        self.namespaces.borrow_mut().push(namespace.clone());
        namespace.ip("link set lo up");
        namespace
    }

    /// A new namespace whose processes also share mounts that nobody else sees, and that go with
    /// the last of them.
    #[must_use]
    pub fn namespace_with_mounts(&self, role: &str) -> Namespace {
        let mut namespace = self.namespace(role);
        let mut command = Command::new("setpriv");
        let path = format!("--net=/run/netns/{}", namespace.name);
        command.args(["--pdeathsig", "KILL", "nsenter", &path]);
        command.args(["unshare", "--mount", "--propagation", "private"]);
        command.args(["sh", "-ec", "echo kept; exec sleep infinity"]);
        let mut keeper = Process::start(command, &self.dir.join(format!("{role}.mounts.log")));
        keeper.wait_for("kept");
        namespace.keeper = Some(keeper.id());
        self.keepers.borrow_mut().push(keeper);
        namespace
    }

    /// A new link to plug namespaces into.
    #[must_use]
    pub fn link(&self, role: &str) -> Link {
        let namespace = self.namespace(role);
        namespace.ip("link add bridge type bridge");
        namespace.ip("link set bridge up");
        Link {
            namespace,
            ports: Cell::new(0),
        }
    }

    /// A new namespace, plugged into `link` by its `eth0`.
    #[must_use]
    pub fn plugged(&self, link: &Link, role: &str) -> Namespace {
        let namespace = self.namespace(role);
        link.plug(&namespace, "eth0");
        namespace
    }

    /// A relay's namespace and a server's on a link of their own; the relay has `giaddr`.
    #[must_use]
    pub fn relay_and_server(&self, giaddr: Ipv4Addr, prefix_len: u8) -> (Namespace, Namespace) {
        let link = self.link("link");
        let relay = self.plugged(&link, "relay");
        let server = self.plugged(&link, "server");
        relay.ip(&format!("addr add {giaddr}/{prefix_len} dev eth0"));
        (relay, server)
    }

    /// Prints the ends of all logs, for the reader of a failure.
    fn print_logs(&self) {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for entry in entries {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "log") {
                let text = fs::read(&path).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let lines: Vec<&str> = text.lines().collect();
                let end = lines.get(lines.len().saturating_sub(60)..);
                eprintln!("--- {}", path.display());
                eprintln!("{}", end.unwrap_or_default().join("\n"));
            }
        }
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if thread::panicking() {
            self.print_logs();
        }
        for namespace in self.namespaces.borrow().iter() {
            remove_namespace(&namespace.name);
        }
        // Reaps them.
        self.keepers.borrow_mut().clear();
        remove_dir(&self.dir);
    }
}

/// Removes what test runs left that did not come to their end.
fn remove_orphans() {
    for entry in fs::read_dir(ROOT).into_iter().flatten().flatten() {
        let dir = entry.path();
        let owned = File::open(dir.join("lock")).is_ok_and(|lock| lock.try_lock().is_err());
        if dir.is_dir() && !owned {
            let id = entry.file_name().to_string_lossy().into_owned();
            for name in namespaces_of(&id) {
                remove_namespace(&name);
            }
            remove_dir(&dir);
        }
    }
}

fn remove_dir(dir: &Path) {
    if let Err(error) = fs::remove_dir_all(dir)
        && error.kind() != io::ErrorKind::NotFound
    {
        eprintln!("{}: {error}", dir.display());
    }
}

fn namespaces_of(id: &str) -> Vec<String> {
    let prefix = format!("{id}-");
    run(Command::new("ip").args(["netns", "list"]))
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with(&prefix))
        .map(str::to_owned)
        .collect()
}

/// Ends all processes of a namespace, and removes it with the interfaces in it.
fn remove_namespace(name: &str) {
    kill_all(name);
    if let Err(error) = try_run(Command::new("ip").args(["netns", "delete", name])) {
        eprintln!("namespace {name}: {error}");
    }
}

fn kill_all(name: &str) {
    let pids = try_run(Command::new("ip").args(["netns", "pids", name])).unwrap_or_default();
    let pids: Vec<&str> = pids.split_whitespace().collect();
    if !pids.is_empty() {
        // Some have ended by themselves in the meantime.
        drop(try_run(Command::new("kill").arg("-KILL").args(pids)));
    }
}

/// A network namespace of a laboratory.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    role: String,
    /// The process whose mounts its processes see.
    keeper: Option<u32>,
}

impl Namespace {
    /// Its name as `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// A command that will run in it, and end with the thread that starts it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(keeper) = self.keeper {
            command.args(["nsenter", "--mount", "--net", "--target"]);
            command.args([&keeper.to_string(), program]);
        } else {
            command.args(["ip", "netns", "exec", &self.name, program]);
        }
        command
    }

    /// Runs `ip` in it, and returns what that writes.
    #[allow(clippy::must_use_candidate, reason = "most of what ip does is silent")]
    pub fn ip(&self, arguments: &str) -> String {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]);
        run(command.args(arguments.split_whitespace()))
    }

    /// Runs `work` on a thread inside; a socket that it opens stays inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        let namespace = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may enter a namespace");
                work()
            });
            thread.join().expect("the work inside the namespace")
        })
    }

    /// Ends every process in it as a power cut would.
    pub fn kill_all(&self) {
        kill_all(&self.name);
    }

    /// The IPv4 address of an interface, when it has one.
    #[must_use]
    pub fn address(&self, interface: &str) -> Option<Ipv4Addr> {
        let list = self.ip(&format!("-4 -o addr show dev {interface}"));
        let mut words = list.split_whitespace();
        words.find(|word| *word == "inet")?;
        words.next()?.split('/').next()?.parse().ok()
    }
}

/// An Ethernet segment: a bridge in a namespace of its own.
#[derive(Debug)]
pub struct Link {
    namespace: Namespace,
    ports: Cell<u32>,
}

impl Link {
    /// Plugs `namespace` in with a new interface, up, without an address.
    pub fn plug(&self, namespace: &Namespace, interface: &str) {
        let bridge = &self.namespace;
        let port = format!("port{}", self.ports.replace(self.ports.get() + 1));
        bridge.ip(&format!(
            "link add {port} type veth peer name {interface} netns {}",
            namespace.name
        ));
        bridge.ip(&format!("link set {port} master bridge up"));
        namespace.ip(&format!("link set {interface} up"));
        // af_packet sees frames before an offload would have filled in their checksums.
        run(namespace
            .command("ethtool")
            .args(["-K", interface, "tx", "off"]));
    }
}
