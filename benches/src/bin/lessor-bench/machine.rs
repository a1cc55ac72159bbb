//! The machine and what is installed on it, for the head of the report.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// Where a report was made.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Machine {
    /// UTC, as `date` writes it.
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// The file system under the stores.
    pub(crate) store: String,
    /// Load average when the run began.
    pub(crate) load: String,
    /// Lessor's commit.
    pub(crate) commit: String,
    pub(crate) versions: Vec<(String, String)>,
}

const PACKAGES: [&str; 4] = [
    "libdpdk-dev",
    "kea-dhcp4-server",
    "isc-dhcp-server",
    "dnsmasq-base",
];

impl Machine {
    /// This one; stores are below `store`.
    pub(crate) fn here(store: &Path) -> Self {
        let version = |package: &str| {
            let mut query = Command::new("dpkg-query");
            told(query.args(["-Wf", "${Version}", package]))
        };
        let mut versions: Vec<(String, String)> = PACKAGES
            .map(|package| (package.to_owned(), version(package)))
            .into();
        versions.push(("rustc".into(), told(Command::new("rustc").arg("--version"))));
        let mut file_system = Command::new("findmnt");
        file_system
            .args(["-no", "FSTYPE,SOURCE", "--target"])
            .arg(store);
        let git = ["describe", "--always", "--dirty", "--abbrev=12"];
        Self {
            date: told(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
            cpu: line_of("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: line_of("/proc/meminfo", "MemTotal")
                .split(' ')
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
                .map_or(0, |kib| kib >> 10),
            kernel: told(Command::new("uname").arg("-r")),
            store: told(&mut file_system),
            load: fs::read_to_string("/proc/loadavg")
                .map(|load| load.split(' ').take(3).collect::<Vec<_>>().join(" "))
                .unwrap_or_default(),
            commit: told(Command::new("git").args(git)),
            versions,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {}, {} cores, {} MiB, Linux {}, store on {}, load before {}",
            self.date, self.cpu, self.cores, self.memory_mib, self.kernel, self.store, self.load
        )?;
        write!(f, "Lessor {}", self.commit)?;
        for (name, version) in &self.versions {
            write!(f, ", {name} {version}")?;
        }
        Ok(())
    }
}

/// What a program says, on one line; that it is not there if it does not run.
fn told(command: &mut Command) -> String {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success());
    let Some(output) = output else {
        return "unknown".to_owned();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands behind the colon of the first line that begins so.
fn line_of(file: &str, begin: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(begin));
    let value = line.and_then(|line| line.split_once(':'));
    value.map_or_else(
        || "unknown".to_owned(),
        |(_, value)| value.trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_where_it_is() {
        let machine = Machine::here(Path::new("/"));
        assert!(machine.cores > 0 && machine.memory_mib > 0);
        assert_ne!(machine.kernel, "unknown");
        assert!(machine.to_string().contains(&machine.kernel));
    }

    #[test]
    fn what_is_not_installed_is_unknown() {
        assert_eq!(told(&mut Command::new("/no/such/program")), "unknown");
        assert_eq!(told(&mut Command::new("false")), "unknown");
        assert_eq!(line_of("/proc/cpuinfo", "no such line"), "unknown");
    }
}
