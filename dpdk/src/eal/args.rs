//! The command line that DPDK is configured by.

use core::ffi::c_char;
use std::ffi::CString;

use super::{EalConfig, EalError};
use crate::LogLevel;
use crate::port::{is_driver_name, pci_address};

/// A command line, each argument free of NUL.
#[derive(Debug)]
pub(super) struct Argv(Vec<CString>);

impl Argv {
    /// Gives the command line to a callee that keeps it.
    pub(super) fn leak(self) -> &'static mut [*mut c_char] {
        let pointers = self.0.into_iter().map(CString::into_raw);
        pointers.collect::<Vec<_>>().leak()
    }

    fn push(&mut self, what: &'static str, argument: String) -> Result<(), EalError> {
        let bad = |fault: std::ffi::NulError| {
            let value = String::from_utf8_lossy(&fault.into_vec()).into_owned();
            EalError::BadArgument { what, value }
        };
        self.0.push(CString::new(argument).map_err(bad)?);
        Ok(())
    }
}

/// The error of a value that DPDK would refuse with its whole usage text, or take for another.
fn bad(what: &'static str, value: &str) -> EalError {
    let value = value.to_owned();
    EalError::BadArgument { what, value }
}

/// The command line of `config`, with the main lcore and DPDK's own threads on `housekeeping`.
pub(super) fn argv(config: &EalConfig, housekeeping: &[usize]) -> Result<Argv, EalError> {
    let mut argv = Argv(Vec::new());
    let prefix = &config.file_prefix;
    if prefix.is_empty() || prefix.contains(['/', '%']) {
        return Err(bad("file prefix", prefix));
    }
    argv.push("program", "dpdk".to_owned())?;
    argv.push("file prefix", format!("--file-prefix={prefix}"))?;
    let cpus: Vec<String> = housekeeping.iter().map(usize::to_string).collect();
    // One lcore, which does nothing: workers are threads of the caller's that register.
    argv.push("lcores", format!("--lcores=0@({})", cpus.join(",")))?;
    argv.push("telemetry", "--no-telemetry".to_owned())?;
    let level = config.log_level.max(LogLevel::Error) as u32;
    argv.push("log level", format!("--log-level=*:{level}"))?;
    for (wanted, option) in [
        // DPDK refuses both together; without huge pages it has no other file than these.
        (config.in_memory && !config.no_huge, "--in-memory"),
        (config.in_memory && config.no_huge, "--no-shconf"),
        (config.no_huge, "--no-huge"),
        (config.single_file_segments, "--single-file-segments"),
        (config.pci.is_empty(), "--no-pci"),
    ] {
        if wanted {
            argv.push(option, option.to_owned())?;
        }
    }
    if let Some(mib) = config.memory_mib {
        argv.push("memory", "-m".to_owned())?;
        argv.push("memory", mib.to_string())?;
    }
    for address in &config.pci {
        let (name, _) = address.split_once(',').unwrap_or((address, ""));
        pci_address(name).ok_or_else(|| bad("PCI address", address))?;
        argv.push("PCI address", format!("--allow={address}"))?;
    }
    for device in &config.vdevs {
        let (name, _) = device.split_once(',').unwrap_or((device, ""));
        if !is_driver_name(name) {
            return Err(bad("virtual device", device));
        }
        argv.push("virtual device", format!("--vdev={device}"))?;
    }
    for argument in &config.extra {
        // EAL's own end where these begin, and are then nobody's.
        if argument.is_empty() || argument == "--" {
            return Err(bad("further argument", argument));
        }
        argv.push("further argument", argument.clone())?;
    }
    Ok(argv)
}
