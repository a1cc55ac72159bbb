//! A device by its name, and what brings it in and takes it out.

use core::ffi::CStr;
use std::ffi::CString;

use dpdk_sys as sys;

use super::{PortError, Step};
use crate::{Eal, Errno, log};

/// A device as the operator named it, taken apart.
#[derive(Debug)]
pub(super) struct Device {
    bus: &'static CStr,
    name: CString,
    arguments: CString,
    asked: String,
}

impl Device {
    /// Takes `asked` apart: `0000:01:00.0`, `01:00.0`, or `net_af_packet0,iface=eth0`, each with
    /// arguments for its driver behind commas.
    pub(super) fn parse(asked: &str) -> Result<Self, PortError> {
        let bad = || PortError::BadDevice(asked.to_owned());
        let (name, arguments) = asked.split_once(',').unwrap_or((asked, ""));
        let (bus, name) = match pci_address(name) {
            Some(address) => (c"pci", address),
            None if is_driver_name(name) => (c"vdev", name.to_owned()),
            None => return Err(bad()),
        };
        Ok(Self {
            bus,
            name: CString::new(name).map_err(|_| bad())?,
            arguments: CString::new(arguments).map_err(|_| bad())?,
            asked: asked.to_owned(),
        })
    }

    /// The name the operator knows it by.
    pub(super) fn asked(&self) -> String {
        self.asked.clone()
    }

    /// The error of `step`, with what was logged since the operation began.
    pub(super) fn fault(&self, step: Step, result: i32) -> PortError {
        PortError::Setup {
            device: self.asked(),
            step,
            errno: Errno::of(result),
            log: log::told(),
        }
    }

    /// Brings the device in, unless it is there from the start, and returns its port.
    pub(super) fn plug(&self, eal: &Eal) -> Result<u16, PortError> {
        if let Some(port) = self.port() {
            return Ok(port);
        }
        if self.bus == c"pci" && !eal.has_pci() {
            return Err(PortError::NoPci(self.asked()));
        }
        let (bus, name) = (self.bus.as_ptr(), self.name.as_ptr());
        // SAFETY: three strings that end in NUL and outlive the call; the EAL is started, and its
        // list of ports, which the caller holds, lets one thread at a time come here.
        let result = unsafe { sys::rte_eal_hotplug_add(bus, name, self.arguments.as_ptr()) };
        if result < 0 {
            return Err(self.refusal(Errno::of(result)));
        }
        self.port().ok_or_else(|| PortError::NoSuchDevice {
            device: self.asked(),
            log: log::told(),
        })
    }

    /// Takes the device out.
    pub(super) fn unplug(&self) -> Result<(), PortError> {
        let (bus, name) = (self.bus.as_ptr(), self.name.as_ptr());
        // SAFETY: as for bringing it in; its port is closed.
        let result = unsafe { sys::rte_eal_hotplug_remove(bus, name) };
        if result < 0 {
            return Err(self.fault(Step::Remove, result));
        }
        Ok(())
    }

    fn port(&self) -> Option<u16> {
        let mut port = 0;
        let name = self.name.as_ptr();
        // SAFETY: the name ends in NUL, and there is a place for the answer.
        let result = unsafe { sys::rte_eth_dev_get_port_by_name(name, &raw mut port) };
        (result == 0).then_some(port)
    }

    fn refusal(&self, errno: Errno) -> PortError {
        const ENOENT: i32 = 2;
        /// No driver knows the name.
        const EFAULT: i32 = 14;
        const ENODEV: i32 = 19;
        let (device, log) = (self.asked(), log::told());
        // Drivers return a bare -1 for anything, which reads as EPERM; root is never refused.
        if errno.is_permission() && !rustix::process::geteuid().is_root() {
            PortError::Permission { device, log }
        } else if matches!(errno.number(), ENOENT | EFAULT | ENODEV) {
            PortError::NoSuchDevice { device, log }
        } else {
            PortError::Probe { device, errno, log }
        }
    }
}

/// A PCI address in full, `0000:01:00.0`; `None` if it is none.
pub(crate) fn pci_address(name: &str) -> Option<String> {
    let (path, function) = name.split_once('.')?;
    let is_hex = |part: &str, len: usize| {
        part.len() == len && part.chars().all(|digit| digit.is_ascii_hexdigit())
    };
    let parts: Vec<&str> = path.split(':').collect();
    let (domain, bus, slot) = match parts.as_slice() {
        [bus, slot] => ("0000", bus, slot),
        [domain, bus, slot] => (*domain, bus, slot),
        _ => return None,
    };
    let valid = is_hex(domain, 4)
        && is_hex(bus, 2)
        && is_hex(slot, 2)
        && matches!(function.as_bytes(), [b'0'..=b'7']);
    valid.then(|| format!("{domain}:{bus}:{slot}.{function}").to_ascii_lowercase())
}

/// Whether `name` can be a driver's name and a number.
pub(crate) fn is_driver_name(name: &str) -> bool {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_' || octet == b'-';
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_address_is_written_in_full() {
        for (asked, full) in [
            ("0000:01:00.0", "0000:01:00.0"),
            ("01:00.1", "0000:01:00.1"),
            ("AB:1F.7", "0000:ab:1f.7"),
        ] {
            assert_eq!(pci_address(asked).as_deref(), Some(full));
        }
        for none in [
            "01:00",
            "01:00.8",
            "1:00.0",
            "0:01:00.0",
            "01:00.",
            "01:00.00",
            "g1:00.0",
        ] {
            assert_eq!(pci_address(none), None, "{none}");
        }
    }

    #[test]
    fn a_device_is_taken_apart_into_bus_name_and_arguments() {
        let device = Device::parse("net_af_packet0,iface=veth0,framecnt=8192").unwrap();
        assert_eq!(device.bus, c"vdev");
        assert_eq!(device.name.as_c_str(), c"net_af_packet0");
        assert_eq!(device.arguments.as_c_str(), c"iface=veth0,framecnt=8192");
        assert_eq!(Device::parse("01:00.0").unwrap().bus, c"pci");
    }

    #[test]
    fn what_is_no_device_is_refused_by_name() {
        for bad in [
            "",
            ",",
            "7",
            "net null",
            "net_null0\0",
            "eth0/1",
            "net_null0,a\0",
        ] {
            assert!(matches!(Device::parse(bad), Err(PortError::BadDevice(name)) if name == bad));
        }
    }
}
