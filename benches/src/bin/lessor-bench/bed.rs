//! Where contenders run: a laboratory with its folder, the store's folder on a disk, one core for
//! the server and one for the generator, and the two ways between them.
//!
//! ```text
//!   memif   server (the memif server, copies) ── socket ── generator (client, zero-copy)
//!   veth    namespace "server": eth0 ── veth pair ── eth0: namespace "client"
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lessor_tests::lab::{Lab, Namespace};
use lessor_tests::process::{Process, run};
use rustix::process::Signal;

use crate::failure::{Because as _, Failure, Outcome};
use crate::meter::Meter;

/// The core of the server, and that of the generator.
pub(crate) const SERVER_CORE: u32 = 0;
pub(crate) const GENERATOR_CORE: u32 = 1;
/// The server's address, and the first relay's, which the generator speaks for.
pub(crate) const SERVER: &str = "10.0.0.1";
pub(crate) const RELAY: &str = "10.0.0.2";
/// DHCP messages of most clients are padded to 300 octets: frames of 342.
pub(crate) const FRAME: u32 = 342;
/// How long anything may take to begin or to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// What all rows share.
#[derive(Debug)]
pub(crate) struct Site {
    /// Folder of the stores, on a disk.
    pub(crate) stores: PathBuf,
    /// Where `lessor` and `lessor-load` are.
    pub(crate) programs: PathBuf,
    /// The criterion bench of decisions.
    pub(crate) decide_bench: Option<PathBuf>,
    /// Whether the run is to end.
    pub(crate) stopped: Arc<AtomicBool>,
}

impl Site {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Fails when the run is to end.
    pub(crate) fn go_on(&self) -> Outcome<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Failure::new("interrupted"));
        }
        Ok(())
    }

    /// Asks until there is an answer.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        mut answer: impl FnMut() -> Outcome<Option<T>>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = answer()? {
                return Ok(found);
            }
            self.go_on()?;
            if Instant::now() > deadline {
                return Err(Failure::new(format!("{what}: not within {PATIENCE:?}")));
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// The way between server and generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Memif,
    Veth,
}

/// A place for one contender, which is gone with all that runs there when this is dropped.
#[derive(Debug)]
pub(crate) struct Bed<'a> {
    pub(crate) site: &'a Site,
    pub(crate) path: Way,
    lab: Lab,
    ends: Option<(Namespace, Namespace)>,
    store: PathBuf,
}

impl<'a> Bed<'a> {
    pub(crate) fn new(site: &'a Site, path: Way) -> Outcome<Self> {
        site.go_on()?;
        let lab = Lab::new();
        let ends = (path == Way::Veth).then(|| veth(&lab));
        let store = site.stores.join("run");
        empty(&store)?;
        Ok(Self {
            site,
            path,
            lab,
            ends,
            store,
        })
    }

    /// The folder of logs and sockets.
    pub(crate) fn dir(&self) -> &Path {
        self.lab.dir()
    }

    /// The folder of the contender's leases, empty at first.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// The server's namespace; none on memif.
    pub(crate) fn server(&self) -> Option<&Namespace> {
        self.ends.as_ref().map(|ends| &ends.0)
    }

    /// The generator's namespace; none on memif.
    pub(crate) fn client(&self) -> Option<&Namespace> {
        self.ends.as_ref().map(|ends| &ends.1)
    }

    /// The device of the server, as DPDK names it.
    pub(crate) fn server_device(&self) -> String {
        match self.path {
            Way::Memif => format!("net_memif0,role=server,{}", self.memif()),
            Way::Veth => AF_PACKET.to_owned(),
        }
    }

    /// The device of the generator.
    pub(crate) fn generator_device(&self) -> String {
        match self.path {
            Way::Memif => format!("net_memif0,role=client,{},zero-copy=yes", self.memif()),
            Way::Veth => AF_PACKET.to_owned(),
        }
    }

    fn memif(&self) -> String {
        let socket = self.lab.dir().join("memif.sock");
        format!(
            "id=0,socket-abstract=no,socket={},rsize=12",
            socket.display()
        )
    }

    /// Starts `program` where the server runs.
    pub(crate) fn start_server(&self, cores: Cores, command: &Invocation<'_>) -> Outcome<Running> {
        self.start(("server", self.server(), cores), command)
    }

    /// Starts `program` where the generator runs, on its core.
    pub(crate) fn start_generator(&self, command: &Invocation<'_>) -> Outcome<Running> {
        self.start(("generator", self.client(), Cores::Generator), command)
    }

    fn start(
        &self,
        (role, namespace, cores): (&str, Option<&Namespace>, Cores),
        invocation: &Invocation<'_>,
    ) -> Outcome<Running> {
        self.site.go_on()?;
        let mut command = if let Some(namespace) = namespace {
            namespace.command("taskset")
        } else {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "taskset"]);
            command
        };
        command.args(["--cpu-list", &cores.list()]);
        command.arg(invocation.program).args(&invocation.arguments);
        command.envs(invocation.settings.iter().copied());
        let name = invocation.program.file_name().unwrap_or_default();
        let name = format!("{role}-{}", name.to_string_lossy());
        let log = self.lab.dir().join(format!("{name}.log"));
        Ok(Running {
            process: Process::start(command, &log),
            name,
        })
    }
}

/// Where threads may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// A peer, and macswap: the server's core.
    Server,
    /// The generator's core.
    Generator,
    /// Lessor, whose worker keeps to the server's core by itself: its store thread takes of either
    /// what it needs.
    Both,
}

impl Cores {
    fn list(self) -> String {
        match self {
            Self::Server => SERVER_CORE.to_string(),
            Self::Generator => GENERATOR_CORE.to_string(),
            Self::Both => format!("{SERVER_CORE},{GENERATOR_CORE}"),
        }
    }
}

/// A program with its arguments and settings in its environment.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<String>,
    pub(crate) settings: &'a [(&'a str, &'a Path)],
}

impl<'a> Invocation<'a> {
    pub(crate) fn new(program: &'a Path, arguments: Vec<String>) -> Self {
        Self {
            program,
            arguments,
            settings: &[],
        }
    }
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.store));
    }
}

const AF_PACKET: &str =
    "net_af_packet0,iface=eth0,qdisc_bypass=1,framesz=2048,blocksz=65536,framecnt=8192";

/// Two namespaces with a pair of interfaces between them, as plain as can be: no bridge, no
/// addresses but the relay's of which the kernel knows nothing, and no checksums left to others.
fn veth(lab: &Lab) -> (Namespace, Namespace) {
    let (server, client) = (lab.namespace("server"), lab.namespace("client"));
    client.ip(&format!(
        "link add eth0 type veth peer name eth0 netns {}",
        server.name()
    ));
    for end in [&server, &client] {
        end.ip("link set eth0 addrgenmode none");
        run(end.command("ethtool").args(["-K", "eth0", "tx", "off"]));
        end.ip("link set eth0 up");
    }
    (server, client)
}

fn empty(dir: &Path) -> Outcome<()> {
    drop(fs::remove_dir_all(dir));
    fs::create_dir_all(dir).because("the folder of the store")
}

/// A program that runs in a bed.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    name: String,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has written `text`.
    pub(crate) fn wait_for(&mut self, site: &Site, text: &str) -> Outcome<()> {
        let what = format!("{}: \"{text}\"", self.name);
        site.wait(&what, || {
            if self.process.log().contains(text) {
                return Ok(Some(()));
            }
            self.still_runs()?;
            Ok(None)
        })
    }

    /// Fails with what it wrote last when it has ended.
    pub(crate) fn still_runs(&mut self) -> Outcome<()> {
        let Some(status) = self.process.ended() else {
            return Ok(());
        };
        let said = last_words(&self.process.log());
        Err(Failure::new(format!(
            "{} ended with {status}: {said}",
            self.name
        )))
    }

    /// All that it has written.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until it ends by itself and looks at `meter` meanwhile; its exit code.
    pub(crate) fn finish(
        &mut self,
        site: &Site,
        patience: Duration,
        meter: Option<&mut Meter>,
    ) -> Outcome<i32> {
        let mut meter = meter;
        let deadline = Instant::now() + patience;
        loop {
            if let Some(meter) = &mut meter {
                meter.look();
            }
            if let Some(status) = self.process.ended() {
                return status.code().because("ended by a signal");
            }
            site.go_on()?;
            if Instant::now() > deadline {
                let said = last_words(&self.process.log());
                return Err(Failure::new(format!("{} does not end: {said}", self.name)));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self, site: &Site) -> Outcome<()> {
        self.process.signal(Signal::TERM);
        let what = format!("the end of {}", self.name);
        site.wait(&what, || Ok(self.process.ended())).map(drop)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }
}

/// What a log ends with, on one line: from its panic on, if there is one.
pub(crate) fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let panic = lines.iter().rposition(|line| line.contains("panicked at"));
    let from = panic.unwrap_or_else(|| lines.len().saturating_sub(LAST));
    lines[from..]
        .iter()
        .take(LAST)
        .copied()
        .collect::<Vec<_>>()
        .join(" / ")
}

/// Lines of a log that are told.
const LAST: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_by_its_panic_or_its_end() {
        assert_eq!(last_words("a\nb\n\nc\nd\n"), "b / c / d");
        let log = "ready\nthread 'main' panicked at x.rs:1:\nno room\nat a\nat b\nat c\n";
        assert_eq!(
            last_words(log),
            "thread 'main' panicked at x.rs:1: / no room / at a"
        );
        assert_eq!(last_words(""), "");
    }
}
