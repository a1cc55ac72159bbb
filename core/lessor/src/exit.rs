//! Exit codes, those of sysexits.h.

use std::io;
use std::process::ExitCode;

use crate::store::StoreError;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// What was asked for does not exist, or a replay came out otherwise.
    No = 1,
    /// The command line is wrong.
    Usage = 64,
    /// A store is damaged, or a file of leases or a capture is wrong.
    DataError = 65,
    /// An input file does not exist or cannot be read.
    NoInput = 66,
    /// The server does not run, or a device or its like is not there.
    Unavailable = 69,
    /// A fault of the program.
    Software = 70,
    /// The system refused what is not a matter of files, such as memory.
    OsError = 71,
    /// A file cannot be made.
    CantCreate = 73,
    /// An input or output error.
    IoError = 74,
    /// No permission.
    NoPermission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl Exit {
    /// The code for an error of a file that is read.
    #[must_use]
    pub fn of_reading(error: &io::Error) -> Self {
        use io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
        let kind = error.kind();
        if kind == PermissionDenied {
            Self::NoPermission
        } else if kind == NotFound || kind == IsADirectory {
            Self::NoInput
        } else {
            Self::IoError
        }
    }
}

impl From<&StoreError> for Exit {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::NotWritable { source, .. } | StoreError::Missing { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Self::NoPermission
            }
            StoreError::Missing { .. }
            | StoreError::NotADirectory { .. }
            | StoreError::NotWritable { .. } => Self::CantCreate,
            StoreError::NotReadable { source, .. } | StoreError::Io { source, .. } => {
                Self::of_reading(source)
            }
            StoreError::NoStore { .. } => Self::NoInput,
            StoreError::NoSpace { .. } => Self::IoError,
            StoreError::Locked { .. } | StoreError::Changed { .. } => Self::Unavailable,
            StoreError::NewerVersion { .. }
            | StoreError::Damaged { .. }
            | StoreError::ForeignSnapshot { .. } => Self::DataError,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
