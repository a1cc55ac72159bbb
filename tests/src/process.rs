//! A child process in a namespace, with its output in a file of the laboratory.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A child process. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its output goes to the end of `log`.
    #[must_use]
    pub fn start(mut command: Command, log: &Path) -> Self {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|e| panic!("{}: {e}", log.display()));
        let errors = output.try_clone().expect("a second handle on the log");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// All that it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        let octets = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// Waits until it has written `text`; panics at once when it ends before.
    pub fn wait_for(&mut self, text: &str) {
        let what = format!("\"{text}\" in {}", self.log.display());
        wait::until_true(&what, || {
            let ended = self.ended();
            let written = self.log().contains(text);
            assert!(written || ended.is_none(), "{what}: ended with {ended:?}");
            written
        });
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal. A process that has ended does not mind.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // The error says that there is no such process any more.
        let _ = kill_process(pid.expect("the kernel's pids fit"), signal);
    }

    /// The exit status, when it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        wait::until(&format!("end of {}", self.log.display()), || self.ended())
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Only reaps; there is nobody left to tell.
        drop(self.child.wait());
    }
}

/// Runs a command to its end and returns what it wrote; panics when it fails.
pub fn run(command: &mut Command) -> String {
    match try_run(command) {
        Ok(output) => output,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// Runs a command to its end: what it wrote, or its complaint.
///
/// # Errors
///
/// With the standard error of a command that did not succeed.
pub fn try_run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| e.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {complaint}", output.status))
    }
}
