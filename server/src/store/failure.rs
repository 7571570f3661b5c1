//! How failures of the disk are told to the core.

use std::io;

use gracchus_core::boundary::StorageError;

/// An error of the operating system in the core's words.
pub(super) fn from_io(error: &io::Error) -> StorageError {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        StorageError::NoSpace
    } else {
        StorageError::Io(error.to_string().into())
    }
}

/// Bytes that are not what was written.
pub(super) fn corrupt(what: impl Into<String>) -> StorageError {
    StorageError::Corrupt(what.into().into())
}
