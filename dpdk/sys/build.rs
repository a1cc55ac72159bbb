//! Finds libdpdk, generates the bindings from its headers, and compiles the shims.

use std::env;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The functions bound, by name. Without a list bindgen meets DPDK's packed protocol headers, which
/// Rust cannot lay out (E0588).
const FUNCTIONS: &[&str] = &[
    "dpdk_.*",
    "rte_eal_(init|hotplug_add|hotplug_remove)",
    "rte_(strerror|version)",
    "rte_log_set_global_level",
    "rte_thread_(register|unregister)",
    "rte_pktmbuf_pool_create",
    "rte_mempool_(avail_count|calc_obj_size|free)",
    "rte_ring_(create|free|get_memsize)",
    "rte_eth_dev_(get_port_by_name|info_get|socket_id|get_mtu|set_mtu)",
    "rte_eth_dev_(configure|adjust_nb_rx_tx_desc|start|stop|close)",
    "rte_eth_(rx|tx)_queue_setup",
    "rte_eth_promiscuous_(enable|get)",
    "rte_eth_macaddr_get",
    "rte_eth_(stats|xstats)_get",
    "rte_eth_xstats_get_names",
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=src/shims.c");
    println!("cargo::rerun-if-changed=src/shims.h");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            println!("cargo::error={fault}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let missing = |_| {
        "libdpdk 22.11 or newer was not found by pkg-config: apt-get install \
         libdpdk-dev dpdk pkg-config"
            .to_owned()
    };
    let library = pkg_config::Config::new()
        .atleast_version("22.11")
        .probe("libdpdk")
        .map_err(missing)?;
    for folder in &library.include_paths {
        // Another release installed: the bindings are no longer its own.
        let release = folder.join("rte_build_config.h");
        if release.exists() {
            println!("cargo::rerun-if-changed={}", release.display());
        }
    }
    let flags = cflags()?;
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|fault| fault.to_string())?);
    bind(&flags, &out.join("bindings.rs"))?;
    compile(&flags)
}

/// What a C file that includes DPDK is compiled with. The crate `pkg-config` drops `-include` and
/// `-march`, and inline functions are wrong without them.
fn cflags() -> Result<Vec<String>, String> {
    let pkg_config = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_owned());
    let output = Command::new(pkg_config)
        .args(["--cflags", "libdpdk"])
        .output()
        .map_err(|fault| format!("pkg-config does not run: {fault}"))?;
    let text = String::from_utf8(output.stdout).map_err(|fault| fault.to_string())?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

fn bind(flags: &[String], to: &Path) -> Result<(), String> {
    // Without libclang bindgen panics where it could have said so.
    panic::set_hook(Box::new(|_| ()));
    let bindings = panic::catch_unwind(|| builder(flags).generate());
    drop(panic::take_hook());
    bindings
        .map_err(|_| "libclang was not found: apt-get install libclang-dev".to_owned())?
        .map_err(|fault| format!("DPDK's headers cannot be bound: {fault}"))?
        .write_to_file(to)
        .map_err(|fault| format!("{}: {fault}", to.display()))
}

fn builder(flags: &[String]) -> bindgen::Builder {
    bindgen::Builder::default()
        .header("src/shims.h")
        .clang_args(flags)
        .allowlist_function(FUNCTIONS.join("|"))
        .allowlist_var("DPDK_.*")
        // Their fields moved between releases: they are reached by offsets and through shims.
        .opaque_type("rte_(mbuf|mempool|ring)")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .use_core()
        .wrap_unsafe_ops(true)
        .generate_comments(false)
        .formatter(bindgen::Formatter::None)
}

fn compile(flags: &[String]) -> Result<(), String> {
    let mut shims = cc::Build::new();
    shims.file("src/shims.c").std("gnu11");
    // Packets pass here: optimised whatever the profile.
    shims.opt_level(3);
    // DPDK's own headers are not clean under these; ours are.
    shims.flag_if_supported("-Wno-unused-parameter");
    for flag in flags {
        shims.flag(flag);
    }
    shims
        .try_compile("dpdk_shims")
        .map_err(|fault| format!("the shims do not compile: {fault}"))
}
