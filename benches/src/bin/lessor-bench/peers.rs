//! The other servers, each with the settings that are fair to it (`benches/README.md`), on the
//! server's core of a veth, with their leases on the same disk as Lessor's.

use std::fs;
use std::path::{Path, PathBuf};

use lessor_tests::process::run;

use crate::bed::{Bed, Cores, Invocation, Running, SERVER};
use crate::failure::{Because as _, Outcome};
use crate::load::Pool;

/// Kea, single-threaded, memfile: its best on two cores.
pub(crate) fn kea(bed: &Bed<'_>, pool: Pool) -> Outcome<Running> {
    let program = copied(bed, "/usr/sbin/kea-dhcp4")?;
    let file = bed.dir().join("kea.json");
    fs::write(&file, kea_text(bed.store(), pool)).because("Kea's configuration")?;
    let arguments = ["-c", &file.display().to_string()].map(str::to_owned);
    let dirs = [
        ("KEA_PIDFILE_DIR", bed.dir()),
        ("KEA_LOCKFILE_DIR", bed.dir()),
    ];
    let invocation = Invocation {
        settings: &dirs,
        ..Invocation::new(&program, arguments.into())
    };
    serving(bed, &invocation)
}

fn kea_text(store: &Path, Pool { first, last }: Pool) -> String {
    format!(
        r#"{{ "Dhcp4": {{
  "interfaces-config": {{ "interfaces": ["eth0"], "dhcp-socket-type": "raw" }},
  "lease-database": {{ "type": "memfile", "persist": true, "lfc-interval": 3600,
                       "name": "{store}/kea-leases4.csv" }},
  "multi-threading": {{ "enable-multi-threading": false }},
  "valid-lifetime": 3600, "renew-timer": 1800, "rebind-timer": 3150,
  "subnet4": [ {{ "id": 1, "subnet": "10.0.0.0/8", "pools": [ {{ "pool": "{first} - {last}" }} ],
     "option-data": [ {{ "name": "routers", "data": "{SERVER}" }},
                      {{ "name": "domain-name-servers", "data": "{SERVER}" }} ] }} ],
  "loggers": [ {{ "name": "kea-dhcp4", "severity": "WARN",
                  "output_options": [ {{ "output": "stdout" }} ] }} ]
}} }}
"#,
        store = store.display()
    )
}

/// ISC dhcpd with plain fsync.
pub(crate) fn dhcpd(bed: &Bed<'_>, Pool { first, last }: Pool) -> Outcome<Running> {
    let program = copied(bed, "/usr/sbin/dhcpd")?;
    let file = bed.dir().join("dhcpd.conf");
    let text = format!(
        "authoritative;\nping-check off;\nddns-update-style none;\n\
         default-lease-time 3600;\nmax-lease-time 3600;\n\
         subnet 10.0.0.0 netmask 255.0.0.0 {{\n  range {first} {last};\n\
         option routers {SERVER};\n  option domain-name-servers {SERVER};\n}}\n"
    );
    fs::write(&file, text).because("dhcpd's configuration")?;
    let leases = bed.store().join("dhcpd.leases");
    fs::write(&leases, "").because("dhcpd's leases")?;
    let words = [
        "-4",
        "-f",
        "-cf",
        &file.display().to_string(),
        "-lf",
        &leases.display().to_string(),
        "--no-pid",
        "eth0",
    ];
    let words = words.map(str::to_owned);
    serving(bed, &Invocation::new(&program, words.into()))
}

/// dnsmasq.
pub(crate) fn dnsmasq(bed: &Bed<'_>, Pool { first, last }: Pool) -> Outcome<Running> {
    let program = copied(bed, "/usr/sbin/dnsmasq")?;
    let leases = bed.store().join("dnsmasq.leases");
    let words = [
        "--keep-in-foreground".to_owned(),
        "--port=0".to_owned(),
        "--conf-file=/dev/null".to_owned(),
        "--pid-file=".to_owned(),
        "--user=root".to_owned(),
        "--log-facility=-".to_owned(),
        "--quiet-dhcp".to_owned(),
        "--interface=eth0".to_owned(),
        "--bind-interfaces".to_owned(),
        "--no-ping".to_owned(),
        "--dhcp-authoritative".to_owned(),
        "--dhcp-lease-max=2000000".to_owned(),
        format!("--dhcp-range={first},{last},255.0.0.0,3600"),
        format!("--dhcp-leasefile={}", leases.display()),
    ];
    serving(bed, &Invocation::new(&program, words.into()))
}

/// A copy of a program beside the logs: where `AppArmor` confines the original to the folders of its
/// package, it does not know the copy.
fn copied(bed: &Bed<'_>, program: &str) -> Outcome<PathBuf> {
    let name = Path::new(program).file_name().because(program)?;
    let copy = bed.dir().join(name);
    fs::copy(program, &copy).because(program)?;
    Ok(copy)
}

/// Gives the kernel of the server's namespace the server's address, starts the server, and waits
/// until it has the port of DHCP.
fn serving(bed: &Bed<'_>, invocation: &Invocation<'_>) -> Outcome<Running> {
    let namespace = bed.server().because("a namespace for the server")?;
    namespace.ip(&format!("addr add {SERVER}/8 dev eth0"));
    let mut running = bed.start_server(Cores::Server, invocation)?;
    bed.site.wait("a server on UDP port 67", || {
        running.still_runs()?;
        let sockets = run(namespace.command("cat").arg("/proc/net/udp"));
        Ok(sockets.contains(":0043 ").then_some(()))
    })?;
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn keas_configuration_is_json_with_its_fair_settings() {
        let pool = Pool::of(Ipv4Addr::new(10, 1, 0, 0), 65_536);
        let text = kea_text(Path::new("/store"), pool);
        let config: serde_json::Value = serde_json::from_str(&text).unwrap();
        let dhcp4 = &config["Dhcp4"];
        assert_eq!(dhcp4["lease-database"]["persist"], true);
        assert_eq!(dhcp4["lease-database"]["name"], "/store/kea-leases4.csv");
        assert_eq!(dhcp4["multi-threading"]["enable-multi-threading"], false);
        assert_eq!(
            dhcp4["subnet4"][0]["pools"][0]["pool"],
            "10.1.0.0 - 10.1.255.255"
        );
    }
}
